"""Opens a checkpoint of Tandem with torch, transformers and PEFT, goes on training with it, and prints what it found as JSON.

    python open_in_torch.py BASE CHECKPOINT

BASE is the model directory, CHECKPOINT a folder with model/, optimizer.pt and scheduler.pt.
"""

import json
import sys
from pathlib import Path

import peft
import safetensors.torch
import torch
from transformers import AutoModelForCausalLM


def main():
    base, checkpoint = Path(sys.argv[1]), Path(sys.argv[2])
    adapter = (checkpoint / "model" / "adapter_config.json").exists()
    if adapter:
        model = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), checkpoint / "model", is_trainable=True)
        stored = safetensors.torch.load_file(checkpoint / "model" / "adapter_model.safetensors")
    else:
        model = AutoModelForCausalLM.from_pretrained(checkpoint / "model")
        stored = safetensors.torch.load_file(checkpoint / "model" / "model.safetensors")
    parameters = {name.replace(".default.", "."): p for name, p in model.named_parameters() if p.requires_grad}
    same = all(torch.equal(parameters[name].detach(), value) for name, value in stored.items())

    saved = torch.load(checkpoint / "optimizer.pt", weights_only=True)
    names = saved["param_groups"][0]["param_names"]
    optimizer = torch.optim.AdamW([(name, parameters[name]) for name in names], lr=1.0)
    optimizer.load_state_dict(saved)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    scheduler.load_state_dict(torch.load(checkpoint / "scheduler.pt", weights_only=True))
    first = parameters[names[0]]
    steps = sorted({int(state["step"]) for state in optimizer.state.values()})

    tokens = torch.tensor([[5, 6, 7, 8]])
    loss = model(input_ids=tokens, labels=tokens).loss
    loss.backward()
    before = first.detach().clone()
    optimizer.step()
    scheduler.step()
    print(json.dumps({
        "weights_equal": same and set(stored) == set(parameters),
        "parameters": len(names),
        "steps": steps,
        "scheduler_step": scheduler.last_epoch,
        "learning_rate_positive": saved["param_groups"][0]["lr"] >= 0,
        "moved": bool((first.detach() != before).any()) or saved["param_groups"][0]["lr"] == 0,
        "finite": bool(torch.isfinite(loss)),
    }))


main()
