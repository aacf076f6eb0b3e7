"""A whole trainer in plain Python 3.9: fits a line to noisy points by SGD with momentum, and speaks the agent API as agent.md tells it.

It stands for any trainer in any image. Its state is exact: stopped and resumed, it ends with the same bytes as without a stop.
"""
import hashlib, json, math, os, random, signal, sys, time, urllib.error, urllib.request
from datetime import datetime, timezone

BASE = f"{os.environ['TANDEM_AGENT_URL']}/agent/attempts/{os.environ['TANDEM_ATTEMPT_ID']}"
TOKEN = open(os.environ["TANDEM_TOKEN_FILE"]).read().strip()
SPOOL = open(os.path.join(os.environ["TANDEM_WORKSPACE"], "spool.jsonl"), "a")
AWAY, AT_ONCE = (408, 429, 500, 503), 5000
lines, high, want = [], 0, "run"

def on_term(signum, frame):
    global want
    want = "stop"
signal.signal(signal.SIGTERM, on_term)

def call(path, body=None, media="application/json", patient=True):
    """The answer. While the control plane is away it tries again with growing pauses; or, not patient, gives None at once."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": media}
    pause = 0.1
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{BASE}/{path}", body, headers), timeout=15) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 410:
                os._exit(0)  # another attempt has taken over: nothing may be saved
            if error.code not in AWAY:
                raise
        except OSError:
            pass
        if not patient:
            return None
        time.sleep(pause)
        pause = min(2 * pause, 30)

def record(kind, **fields):
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    lines.append(json.dumps({"n": len(lines) + 1, "time": now, "kind": kind, **fields}))
    SPOOL.write(lines[-1] + "\n")
    SPOOL.flush()
    os.fsync(SPOOL.fileno())

def report(patient=False):
    """Sends what is not stored yet, which is the heartbeat too, and hears what is wanted. Training goes on while nobody answers."""
    global high, want
    while True:
        try:
            body = "\n".join(lines[high:high + AT_ONCE]).encode()
            reply = call("records", body, "application/x-ndjson", patient)
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
            reply = call("records", b"", "application/x-ndjson", patient)  # a gap: what is stored is told again
        if reply is None:
            return
        high, want = reply["high"], "stop" if want == "stop" else reply["want"]
        if high >= len(lines):
            return

def fail(code, reason, message, remedy):
    record("event", name="failed", reason=reason, message=message, remedy=remedy)
    report(patient=True)
    sys.exit(code)

def write(target, data):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target + ".tmp", "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.rename(target + ".tmp", target)

def save(state, purposes):
    content = {path: json.dumps(state[path], sort_keys=True).encode() for path in state}
    files = [{"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for path, data in content.items()]
    step, epoch = (state["training_state.json"][key] for key in ("global_step", "epoch"))
    commit = {"step": step, "purposes": purposes, "policy_version": step, "record": len(lines), "epoch": epoch,
              "best_metric": None, "metrics": {"loss": state["model/line.json"]["loss"]}, "inputs": {}, "files": files}
    while True:
        try:
            place = call("uploads", json.dumps({"step": step, "files": files}).encode())
            for path, data in content.items():
                if place["directory"] is not None:
                    write(os.path.join(place["directory"], path), data)
                    continue
                for part in place["parts"][path]:  # none for a file that is there already
                    body = data[part["start"]:part["end"]]
                    put = urllib.request.Request(part["url"], body, part["headers"], method="PUT")
                    urllib.request.urlopen(put, timeout=60).close()
            return call("checkpoints", json.dumps(commit).encode())
        except urllib.error.HTTPError as error:
            if error.code == 502:  # the store refuses: go on, and save when the next one is due
                return record("event", name="save_failed", message=f"Checkpoint {step} was not saved: {json.load(error)['detail']}")
            if error.code in (400, 401, 404, 409) and error.url.startswith(BASE):
                raise  # a fault of this program
        except OSError:
            pass
        time.sleep(1)  # the store is away, or a URL has expired: ask again for what is missing

def read(start, path):
    if start["directory"] is not None:
        with open(os.path.join(start["directory"], path), "rb") as file:
            data = file.read()
    else:
        with urllib.request.urlopen(start["urls"][path], timeout=60) as answer:
            data = answer.read()
    for file in start["manifest"]["files"] if start["manifest"] else []:
        if file["path"] == path and (file["size"], file["sha256"]) != (len(data), hashlib.sha256(data).hexdigest()):
            raise ValueError(f"{path} is damaged")
    return json.loads(data)

def resume(candidates):
    """The state of the first checkpoint that is whole; None to begin from the beginning."""
    for start in candidates:
        try:
            state = {path: read(start, path) for path in ("model/line.json", "training_state.json")}
            step = state["training_state.json"]["global_step"]
            data = {"checkpoint": start["label"], "step": step, "policy_version": step}
            record("event", name="resumed", message=f"Resumed from step {step}", data=data)
            return state
        except (OSError, ValueError) as error:
            record("event", name="checkpoint_rejected", message=f"{start['label']}: {error}", data={"checkpoint": start["label"]})
    if candidates:
        fail(67, "invalid_checkpoint", "None of the checkpoints to resume from is whole.", "Set training.start_fresh: true.")

def main():
    spec = call("spec")
    training = spec["spec"]["training"]
    steps, batch, rate = training["max_steps"] or 200, training["batch_size"], training["learning_rate"]
    record("event", name="started", message="A line is fitted to 64 points.")
    source = random.Random(spec["spec"]["seed"])
    points = [(x / 32 - 1, 3 * (x / 32 - 1) - 2 + source.gauss(0, 0.1)) for x in range(64)]
    state = resume(spec["resume"]) or {
        "model/line.json": {"slope": 0.0, "offset": 0.0, "loss": None},
        "training_state.json": {"global_step": 0, "samples": 0, "epoch": 0.0, "momentum": [0.0, 0.0], "rng": source.getstate()},
    }
    line, at = state["model/line.json"], state["training_state.json"]
    kind, numbers, spare = at["rng"]
    source.setstate((kind, tuple(numbers), spare))
    began, first, saved = time.monotonic(), at["global_step"], None
    while at["global_step"] < steps and want != "stop":
        chosen = [points[source.randrange(len(points))] for _ in range(batch)]
        errors = [(x, line["slope"] * x + line["offset"] - y) for x, y in chosen]
        line["loss"] = sum(error * error for _, error in errors) / batch
        if not math.isfinite(line["loss"]):
            fail(68, "nan_loss", f"The loss is {line['loss']} at step {at['global_step'] + 1}.", "Lower training.learning_rate.")
        gradient = [sum(2 * error * x for x, error in errors) / batch, sum(2 * error for _, error in errors) / batch]
        at["momentum"] = [0.9 * old + new for old, new in zip(at["momentum"], gradient)]
        line["slope"] -= rate * at["momentum"][0]
        line["offset"] -= rate * at["momentum"][1]
        at["global_step"], at["samples"] = at["global_step"] + 1, at["samples"] + batch
        at["epoch"], at["rng"] = at["samples"] / len(points), source.getstate()
        elapsed = time.monotonic() - began
        record("progress", phase="training", step=at["global_step"], total_steps=steps, epoch=at["epoch"], elapsed_seconds=elapsed,
               eta_seconds=elapsed / (at["global_step"] - first) * (steps - at["global_step"]))
        record("metrics", step=at["global_step"], epoch=at["epoch"], samples=at["samples"], values={"train/loss": line["loss"]})
        report()
        if at["global_step"] < steps and want != "stop" and (want == "save" or at["global_step"] % training["save_steps"] == 0):
            saved = at["global_step"] if save(state, ["step"]) else saved
    if at["global_step"] < steps:
        if saved != at["global_step"]:  # else SIGTERM came while it was: a step is committed once
            save(state, ["stop"])
    else:
        save(state, ["step", "final"])
        record("event", name="finished", reason="completed", message=f"y = {line['slope']:.3f} x + {line['offset']:.3f}")
    report(patient=True)

main()
