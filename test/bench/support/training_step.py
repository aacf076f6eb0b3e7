"""The steps of training-step.ts in PyTorch eager (transformers, PEFT) on the CPU.

Usage: python training_step.py <model directory> <adapter directory> '<shape as JSON>'
Makes a step for each line of its input that names a method, as step-process.ts has it.
"""

import json
import resource
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


def main() -> None:
    directory, adapter, shape = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    base = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="sdpa")
    model = PeftModel.from_pretrained(base, adapter, is_trainable=True)
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=shape["learningRate"], weight_decay=0.0)
    prompt = [3 + (7 * i) % 40 for i in range(shape["prompt"])]
    tokens = torch.tensor(
        [
            prompt + [3 + (11 * i + 5 * sequence) % 40 for i in range(shape["completion"])]
            for sequence in range(shape["sequences"])
        ]
    )
    inputs, targets = tokens[:, :-1], tokens[:, shape["prompt"] :]

    def logprobs() -> torch.Tensor:
        states = model.base_model.model.model(inputs, use_cache=False).last_hidden_state[:, shape["prompt"] - 1 :]
        logits = model.base_model.model.lm_head(states)
        return -torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(
            targets.shape
        )

    def reference_logprobs() -> torch.Tensor:
        with torch.no_grad(), model.disable_adapter():
            return logprobs()

    def sft() -> torch.Tensor:
        return -logprobs().mean()

    def dpo() -> torch.Tensor:
        reference = reference_logprobs().sum(1)
        ratios = logprobs().sum(1) - reference
        return -torch.nn.functional.logsigmoid(shape["beta"] * (ratios[0::2] - ratios[1::2])).mean()

    def grpo() -> torch.Tensor:
        rewards = torch.tensor(shape["rewards"], dtype=torch.float32)
        advantages = ((rewards - rewards.mean()) / (rewards.std() + 1e-4)).unsqueeze(1)
        reference = reference_logprobs()
        policy = logprobs()
        ratio = torch.exp(policy - policy.detach())
        clipped = torch.clamp(ratio, 1 - shape["clipLow"], 1 + shape["clipHigh"])
        surrogate = -torch.min(ratio * advantages, clipped * advantages)
        to_reference = reference - policy
        return (surrogate + shape["klCoef"] * (torch.exp(to_reference) - to_reference - 1)).mean()

    def step(objective) -> float:
        loss = objective()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    objectives = {"sft": sft, "dpo": dpo, "grpo": grpo}
    say({"version": torch.__version__, "threads": torch.get_num_threads()})
    for line in sys.stdin:
        if line.strip() == "end":
            break
        say({"loss": step(objectives[line.strip()])})
    say({"peakMib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def say(answer: dict) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
