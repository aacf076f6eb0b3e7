"""Opens a checkpoint of Tandem with torch, transformers and PEFT, goes on training with it, and prints what it found as JSON.

    python open_in_torch.py BASE CHECKPOINT WARMUP_STEPS TOTAL_STEPS

BASE is the model directory, CHECKPOINT a folder with model/, optimizer.pt and scheduler.pt; the schedule is linear. The optimizer is made as any
script makes it, from the model's own parameters: torch then gives each the state at its place, whatever names the file has.
"""

import json
import sys
from pathlib import Path

import peft
import safetensors.torch
import torch
from transformers import AutoModelForCausalLM, get_linear_schedule_with_warmup


def main():
    base, checkpoint = Path(sys.argv[1]), Path(sys.argv[2])
    warmup, total = int(sys.argv[3]), int(sys.argv[4])
    adapter = (checkpoint / "model" / "adapter_config.json").exists()
    if adapter:
        model = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), checkpoint / "model", is_trainable=True)
        stored = safetensors.torch.load_file(checkpoint / "model" / "adapter_model.safetensors")
    else:
        model = AutoModelForCausalLM.from_pretrained(checkpoint / "model")
        stored = safetensors.torch.load_file(checkpoint / "model" / "model.safetensors")
    parameters = {name.replace(".default.", "."): p for name, p in model.named_parameters() if p.requires_grad}
    same = all(torch.equal(parameters[name].detach(), value) for name, value in stored.items())

    optimizer = torch.optim.AdamW(p for p in model.parameters() if p.requires_grad)
    scheduler = get_linear_schedule_with_warmup(optimizer, warmup, total)
    saved = torch.load(checkpoint / "optimizer.pt", weights_only=True)
    optimizer.load_state_dict(saved)
    scheduler.load_state_dict(torch.load(checkpoint / "scheduler.pt", weights_only=True))
    group = saved["param_groups"][0]
    by_name = {name: saved["state"][i] for name, i in zip(group["param_names"], group["params"])}
    misplaced = [
        name for name, parameter in parameters.items()
        if any(not torch.equal(optimizer.state[parameter][key], by_name[name][key]) for key in ("exp_avg", "exp_avg_sq"))
    ]
    distinct = len({float(state["exp_avg_sq"].double().sum()) for state in by_name.values()})
    steps = sorted({int(state["step"]) for state in optimizer.state.values()})
    rates = [optimizer.param_groups[0]["lr"], scheduler.get_last_lr()[0]]

    tokens = torch.tensor([[5, 6, 7, 8]])
    loss = model(input_ids=tokens, labels=tokens).loss
    loss.backward()
    before = {name: p.detach().clone() for name, p in parameters.items()}
    optimizer.step()
    scheduler.step()
    print(json.dumps({
        "weights_equal": same and set(stored) == set(parameters),
        "parameters": len(by_name),
        "misplaced_moments": misplaced,
        "distinct_moments": distinct,
        "steps": steps,
        "learning_rates": rates,
        "scheduler_step": scheduler.last_epoch,
        "next_learning_rate": optimizer.param_groups[0]["lr"],
        "moved": all(bool((p.detach() != before[name]).any()) for name, p in parameters.items()),
        "finite": bool(torch.isfinite(loss)),
    }))


main()
