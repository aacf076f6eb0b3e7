"""Takes one step of TRL's SFTTrainer on a small random model and writes its loss and its gradients, for compare-with-trl.ts.

    python3 -m venv venv && venv/bin/pip install torch trl peft bitsandbytes
    venv/bin/python test/golden/trl/make_sft.py [DIRECTORY]      # sft.json, beside this file unless a directory is named

It is a whole run of one step with `SFTTrainer.train()`: TRL builds labels, pads or packs, counts the tokens of both accumulated batches, and scales the
loss. The model is one of test/golden/model/random. Gradients are those before the step, unclipped: the norm of each weight's and eight of its entries.
"""

import json
import os
import random
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import tokenizers  # noqa: E402
import torch
import transformers
import trl
from datasets import Dataset

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "model"))
from make_random import gradients, load  # noqa: E402

MODEL, VOCABULARY = "qwen3-1", 29
# Prompt and completion tokens. The two accumulated batches have different numbers of either.
SIZES = [(3, 5), (2, 1), (6, 7), (1, 4)]
ROW = 16


class Watch(transformers.TrainerCallback):
    def __init__(self, model):
        self.model, self.found = model, None

    def on_pre_optimizer_step(self, *_args, **_kwargs):
        self.found = gradients(list(self.model.named_parameters()))


def main():
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    rng = random.Random(5)
    examples = [dict(prompt=[rng.randrange(VOCABULARY) for _ in range(p)], completion=[rng.randrange(VOCABULARY) for _ in range(c)]) for p, c in SIZES]
    cases = [dict(packing=packing, completion_only=only, **step(examples, packing, only)) for packing in (False, True) for only in (False, True)]
    names = [name for name, _ in load(HERE.parent / "model/random" / MODEL).named_parameters()]
    versions = dict(trl=trl.__version__, torch=torch.__version__.split("+")[0], transformers=transformers.__version__)
    document = dict(versions=versions, model=MODEL, examples=examples, names=names, cases=cases)
    (directory / "sft.json").write_text(json.dumps(document, indent=1) + "\n")


def step(examples, packing, only):
    model = load(HERE.parent / "model/random" / MODEL)
    rows = [dict(input_ids=e["prompt"] + e["completion"], completion_mask=[0] * len(e["prompt"]) + [1] * len(e["completion"])) for e in examples]
    watch = Watch(model)
    with tempfile.TemporaryDirectory() as output:
        args = trl.SFTConfig(
            output_dir=output, max_steps=1, per_device_train_batch_size=1 if packing else 2, gradient_accumulation_steps=2, packing=packing, max_length=ROW,
            completion_only_loss=only, max_grad_norm=0, logging_steps=1, save_strategy="no", report_to="none", use_cpu=True, bf16=False,
            gradient_checkpointing=False, disable_tqdm=True)
        trainer = trl.SFTTrainer(model=model, args=args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer(), callbacks=[watch])
        trainer.train()
    logged = trainer.state.log_history[0]
    return dict(rows=len(trainer.train_dataset), loss=logged["loss"], entropy=logged["entropy"], **{key: value.tolist() for key, value in watch.found.items()})


def tokenizer():
    """Never asked for a token: the data set holds numbers."""
    words = tokenizers.models.WordLevel({str(i): i for i in range(VOCABULARY)}, unk_token="0")
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizers.Tokenizer(words), eos_token="1", pad_token="2")


if __name__ == "__main__":
    main()
