"""Reads training logs as scripts of users do: json.load, then indexing. Usage: read.py DIRECTORY; prints one line per method."""

import json
import math
import sys

CONFIG = ["model_path", "train_data", "val_data", "num_epochs", "batch_size", "learning_rate"]
KEYS = {
    "sft": {
        "config": ["lora_r", "use_4bit", "bf16"],
        "train": ["step", "epoch", "loss", "learning_rate"],
        "val": ["step", "epoch", "eval_loss"],
        "best": ("final_metrics", ["best_metric", "best_checkpoint"]),
    },
    "grpo": {
        "config": ["num_generations", "temperature", "kl_coef"],
        "train": ["step", "epoch", "samples", "loss", "reward", "kl", "lr"],
        "val": ["step", "epoch", "samples", "val_reward", "val_format", "val_bbox", "val_category", "val_completeness"],
        "best": ("best_checkpoint", ["step", "epoch", "samples", "val_reward", "path"]),
    },
    "dpo": {
        "config": ["beta"],
        "train": ["step", "epoch", "loss", "accuracy", "reward_margin"],
        "val": ["step", "epoch", "val_loss", "val_accuracy", "val_reward_margin"],
        "best": ("best_checkpoint", ["step", "epoch", "val_accuracy", "val_loss", "val_reward_margin", "path"]),
    },
}


def number(value):
    return value is None or (isinstance(value, (int, float)) and math.isfinite(value))


for method, keys in KEYS.items():
    with open(f"{sys.argv[1]}/{method}.json") as file:
        log = json.load(file)
    config = [log["config"][key] for key in CONFIG + keys["config"]]
    rows = [[row[key] for key in keys["train"]] for row in log["train_history"]]
    validations = [[row[key] for key in keys["val"]] for row in log["val_history"]]
    where, names = keys["best"]
    best = [log[where][key] for key in names]
    assert rows and validations and all(number(value) for row in rows + validations for value in row)
    steps = [row[0] for row in rows]
    assert steps == sorted(set(steps)) and all(isinstance(row[1], float) or row[1] == 0 for row in rows)
    last = log["train_history"][-1]
    loss = "null" if last["loss"] is None else f"{last['loss']:.4f}"
    print(f"{method}: {len(config)} settings, {len(rows)} rows, {len(validations)} validations, loss {loss}, best {best[-1]}")
