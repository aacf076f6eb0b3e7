"""The step of training-step.ts in PyTorch (transformers, PEFT) on the CPU.

Usage: python training_step.py <model directory> <steps> <warm-up steps> '<shape as JSON>'; prints one JSON object.
"""

import json
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM


def main() -> None:
    directory, steps, warmup, shape = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(
        model, LoraConfig(r=shape["rank"], lora_alpha=shape["alpha"], lora_dropout=0.0, target_modules=targets)
    )
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0)
    prompt = [3 + (7 * i) % 40 for i in range(shape["prompt"])]
    tokens = torch.tensor(
        [
            prompt + [3 + (11 * i + 5 * sequence) % 40 for i in range(shape["completion"])]
            for sequence in range(shape["sequences"])
        ]
    )
    inputs, targets = tokens[:, :-1], tokens[:, shape["prompt"] :]

    def step() -> float:
        states = model.base_model.model.model(inputs).last_hidden_state[:, shape["prompt"] - 1 :]
        logits = model.base_model.model.lm_head(states)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    losses, times = [], []
    for _ in range(warmup + steps):
        start = time.perf_counter()
        losses.append(step())
        times.append(time.perf_counter() - start)
    print(
        json.dumps(
            {
                "sftLoss": losses[0],
                "sftSeconds": min(times[warmup:]),
                "threads": torch.get_num_threads(),
                "version": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
