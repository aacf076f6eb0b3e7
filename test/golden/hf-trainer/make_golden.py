"""Writes checkpoints as transformers.Trainer and PEFT really save them, for the tests of imports and of resuming from foreign folders.

    python3 -m venv venv && venv/bin/pip install torch transformers peft safetensors accelerate
    npm run build && node dist/test/golden/hf-trainer/make-base.js base    # the model that is trained, always the same bytes
    venv/bin/python test/golden/hf-trainer/make_golden.py base  # rewrites lora/ and full/ beside this file

A second argument names another folder to write to. expected.json beside each checkpoint holds, for each parameter by its name, the sums of what torch
remembers of it, since optimizer.pt itself has no names.
"""

import json
import shutil
import sys
from pathlib import Path

import peft
import torch
import transformers
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

HERE = Path(__file__).parent
STEPS = 4


class Rows(torch.utils.data.Dataset):
    def __init__(self, vocabulary):
        generator = torch.Generator().manual_seed(3)
        self.rows = torch.randint(0, vocabulary, (12, 9), generator=generator)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        row = self.rows[index]
        return {"input_ids": row, "labels": row, "attention_mask": torch.ones_like(row)}


def train(base, target, lora):
    torch.manual_seed(11)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if lora:
        targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
        model = peft.get_peft_model(model, peft.LoraConfig(r=2, lora_alpha=4, target_modules=targets, task_type="CAUSAL_LM"))
        model.peft_config["default"].base_model_name_or_path = "base"
    rows = Rows(model.config.vocab_size)
    arguments = TrainingArguments(
        output_dir=str(target / "run"), per_device_train_batch_size=2, max_steps=STEPS, learning_rate=0.01, weight_decay=0.01,
        warmup_steps=1, lr_scheduler_type="linear", logging_steps=1, save_steps=2, eval_strategy="steps", eval_steps=2,
        report_to=[], use_cpu=True, seed=5, disable_tqdm=True, save_total_limit=1,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, eval_dataset=torch.utils.data.Subset(rows, [0, 1]))
    trainer.train()
    state = {}
    for name, parameter in trainer.model.named_parameters():
        if parameter.requires_grad:
            held = trainer.optimizer.state[parameter]
            state[name.replace(".default.", ".")] = {
                "shape": list(parameter.shape), "step": int(held["step"]),
                "exp_avg": held["exp_avg"].double().sum().item(), "exp_avg_sq": held["exp_avg_sq"].double().sum().item(),
            }
    checkpoint = target / f"checkpoint-{STEPS}"
    if checkpoint.exists():
        shutil.rmtree(checkpoint)
    shutil.move(str(target / "run" / f"checkpoint-{STEPS}"), str(checkpoint))
    shutil.rmtree(target / "run")
    for name in ("README.md", "training_args.bin"):
        (checkpoint / name).unlink(missing_ok=True)
    groups = [len(group["params"]) for group in trainer.optimizer.param_groups]
    expected = {"groups": groups, "learning_rate": trainer.lr_scheduler.get_last_lr()[0], "parameters": state}
    (target / "expected.json").write_text(json.dumps(expected) + "\n")
    if not lora:
        shard(trainer.model, checkpoint)


def shard(model, checkpoint):
    """The same weights in several files, as a large model is saved."""
    (checkpoint / "model.safetensors").unlink()
    model.save_pretrained(checkpoint, max_shard_size="8KB")
    if not (checkpoint / "model.safetensors.index.json").exists():
        raise SystemExit("the weights fit into one shard; lower max_shard_size")


def main():
    base = sys.argv[1]
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE
    for name, lora in (("lora", True), ("full", False)):
        (target / name).mkdir(parents=True, exist_ok=True)
        train(base, target / name, lora)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}
    (target / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


main()
