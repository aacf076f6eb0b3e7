"""What TensorBoard makes of a directory of event files, as JSON on standard output.

    python read_board.py <directory> [--without-config] > golden.json

`--without-config` leaves out what grows with every key of the run spec. golden.json is what it said of the run of
services/control-plane/trackers/tensorboard/resumed-twice.fixture.ts.

Scalars and texts by its event accumulator, which drops what a restart declares void; hyper-parameters by the backend of its hparams plugin.
"""

import json
import sys

import google.protobuf
import tensorboard
from tensorboard.backend.event_processing import data_provider, event_accumulator, plugin_event_multiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
from tensorboard.util import tensor_util

directory = sys.argv[1]
# A seed of 0 means: keep all.
everything = {event_accumulator.SCALARS: 0, event_accumulator.TENSORS: 0}


def scalars():
    accumulator = event_accumulator.EventAccumulator(directory, everything).Reload()
    tags = accumulator.Tags()[event_accumulator.SCALARS]
    return {tag: [[e.step, e.wall_time, str(e.value)] for e in accumulator.Scalars(tag)] for tag in sorted(tags)}


def scalars_of_page(multiplexer):
    """The same by the code behind the page, which drops by other rules."""
    tags = multiplexer.PluginRunToTagToContent("scalars")["."]
    value = lambda event: str(tensor_util.make_ndarray(event.tensor_proto).item())
    return {tag: [[e.step, e.wall_time, value(e)] for e in multiplexer.Tensors(".", tag)] for tag in sorted(tags)}


def texts(multiplexer):
    tags = multiplexer.PluginRunToTagToContent("text")["."]
    decode = lambda event: tensor_util.make_ndarray(event.tensor_proto).item().decode()
    return {tag: [[e.step, decode(e)] for e in multiplexer.Tensors(".", tag)] for tag in sorted(tags)}


def hyper_parameters(multiplexer):
    provider = data_provider.MultiplexerDataProvider(multiplexer, directory)
    context = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    request_context = RequestContext()
    experiment = context.experiment_from_metadata(
        request_context, "", True, context.hparams_metadata(request_context, ""), []
    )
    statuses = api_pb2.Status.values()
    metrics = [api_pb2.ColParams(metric=each.name) for each in experiment.metric_infos]
    request = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=statuses, slice_size=100, col_params=metrics, include_metrics=True
    )
    groups = list_session_groups.Handler(request_context, context, "", request).run().session_groups
    plain = lambda value: getattr(value, value.WhichOneof("kind"))
    return [
        {
            "name": group.name,
            "hparams": {name: plain(value) for name, value in sorted(group.hparams.items())},
            "status": [api_pb2.Status.Name(session.status) for session in group.sessions],
            "start": [session.start_time_secs for session in group.sessions],
            "end": [session.end_time_secs for session in group.sessions],
            "metrics": sorted(info.name.tag for info in experiment.metric_infos),
        }
        for group in groups
    ]


multiplexer = plugin_event_multiplexer.EventMultiplexer(
    {".": directory}, tensor_size_guidance={"text": 0, "scalars": 0}, size_guidance=everything
).Reload()
assert scalars() == scalars_of_page(multiplexer), "the page shows other scalars than the accumulator"
shown = {"scalars": scalars(), "texts": texts(multiplexer), "hparams": hyper_parameters(multiplexer)}
if "--without-config" in sys.argv:
    del shown["texts"]["config"]
    for group in shown["hparams"]:
        del group["hparams"]
versions = {"tensorboard": tensorboard.__version__, "protobuf": google.protobuf.__version__}
json.dump({"versions": versions, **shown}, sys.stdout, indent=1)
print()
