"""Feeds one batch of fixed logprobs to the loss code of TRL's GRPOTrainer and DPOTrainer, and writes what comes out.

    python3 -m venv venv && venv/bin/pip install torch trl peft
    venv/bin/python test/golden/trl/make_golden.py [DIRECTORY]      # golden.json, beside this file unless a directory is named

The losses are TRL's own: `GRPOTrainer._compute_loss` and `DPOTrainer._compute_loss` are called on trainers that were never initialised, with
the attributes they read. Instead of a model they see logprobs that require a gradient, so golden.json holds the loss and d loss / d logprobs.
What TRL computes while it generates (the weights against mismatch, the number of tokens) is given as `_generate_and_score_completions` computes it.
Everything is float64, so that what differs is a formula.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import torch
import trl
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.grpo_trainer import GRPOTrainer

LENGTHS = [3, 7, 5, 1, 6, 4]
MAX_NEW_TOKENS, KL = 9, 0.04
WIDTH = max(LENGTHS)

ACCELERATOR = SimpleNamespace(
    num_processes=1, device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x, reduce=lambda x, reduction: x
)


def main():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(11)
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    document = {"versions": {"trl": trl.__version__, "torch": torch.__version__.split("+")[0]}, "grpo": grpo(), "dpo": dpo()}
    (directory / "golden.json").write_text(json.dumps(document, indent=1) + "\n")


def grpo():
    mask = torch.tensor([[1.0] * n + [0.0] * (WIDTH - n) for n in LENGTHS])
    old = rounded(-torch.rand(len(LENGTHS), WIDTH) * 3)
    batch = {
        "logprobs": rounded(old + 0.4 * torch.randn_like(old)),
        "oldLogprobs": old,
        "rolloutLogprobs": rounded(old + 0.2 * torch.randn_like(old)),
        "referenceLogprobs": rounded(old + 0.3 * torch.randn_like(old)),
        "advantages": rounded(torch.randn(len(LENGTHS))),
    }
    cases = [
        {"loss_type": "grpo", "low": 0.2, "high": 0.28, "correction": "off", "cap": 2.0, "kl": 0.0},
        {"loss_type": "dr_grpo", "low": 0.2, "high": 0.2, "correction": "tis", "cap": 1.2, "kl": KL},
        {"loss_type": "dapo", "low": 0.2, "high": 0.28, "correction": "tis", "cap": 1.2, "kl": 0.0},
        {"loss_type": "dapo", "low": 0.2, "high": 0.28, "correction": "sequence_mask", "cap": 1.5, "kl": KL},
        {"loss_type": "bnpo", "low": 0.1, "high": 0.3, "correction": "off", "cap": 2.0, "kl": KL},
        {"loss_type": "gspo", "low": 0.1, "high": 0.15, "correction": "off", "cap": 2.0, "kl": 0.0},
        {"loss_type": "gspo", "low": 0.3, "high": 0.4, "correction": "tis", "cap": 1.2, "kl": KL},
        {"loss_type": "cispo", "low": 0.5, "high": 1.3, "correction": "tis", "cap": 1.2, "kl": KL},
    ]
    flat = {name: [value for row, n in zip(rows.tolist(), LENGTHS) for value in (row[:n] if rows.dim() > 1 else [row] * n)]
            for name, rows in batch.items()}
    return {"lengths": LENGTHS, "maxNewTokens": MAX_NEW_TOKENS, "tokens": flat,
            "cases": [{**case, **grpo_case(case, batch, mask)} for case in cases]}


def grpo_case(case, batch, mask):
    logprobs = batch["logprobs"].clone().requires_grad_()
    trainer = GRPOTrainer.__new__(GRPOTrainer)
    # TRL has GSPO as the loss type grpo with the ratio of sequences.
    gspo = case["loss_type"] == "gspo"
    for name, value in {
        "model": SimpleNamespace(training=True), "accelerator": ACCELERATOR, "_metrics": {"train": defaultdict(list)},
        "loss_type": "grpo" if gspo else case["loss_type"], "importance_sampling_level": "sequence" if gspo else "token",
        "epsilon_low": case["low"], "epsilon_high": case["high"], "beta": case["kl"],
        "args": SimpleNamespace(delta=None, use_bias_correction_kl=False, steps_per_generation=1),
        "use_vllm": case["correction"] != "off", "vllm_importance_sampling_correction": case["correction"] != "off",
        "top_entropy_quantile": 1.0, "off_policy_mask_threshold": None, "aux_loss_enabled": False, "_entropy_bonus_enabled": False,
        "current_gradient_accumulation_steps": 1, "max_completion_length": MAX_NEW_TOKENS,
    }.items():
        object.__setattr__(trainer, name, value)
    object.__setattr__(trainer, "_get_per_token_logps_and_entropies", lambda *_, **__: (logprobs, torch.zeros_like(logprobs), None))
    loss = trainer._compute_loss(None, {
        "prompt_ids": torch.zeros(len(LENGTHS), 1, dtype=torch.long), "prompt_mask": torch.ones(len(LENGTHS), 1),
        "completion_ids": torch.zeros_like(mask, dtype=torch.long), "completion_mask": mask,
        "advantages": batch["advantages"], "old_per_token_logps": batch["oldLogprobs"], "ref_per_token_logps": batch["referenceLogprobs"],
        "num_items_in_batch": mask.sum(), "importance_sampling_ratio": mismatch(case, batch, mask),
    })
    loss.backward()
    metrics = trainer._metrics["train"]
    return {
        "loss": loss.item(),
        "grad": [value for row, n in zip(logprobs.grad.tolist(), LENGTHS) for value in row[:n]],
        "kl_mean": metrics["kl"][0] if case["kl"] else None,
        "clip_low": None if gspo or case["loss_type"] == "cispo" else metrics["clip_ratio/low_mean"][0],
        "clip_high": None if gspo or case["loss_type"] == "cispo" else metrics["clip_ratio/high_mean"][0],
    }


def mismatch(case, batch, mask):
    """As in `_generate_and_score_completions`: modes token_truncate and sequence_mask."""
    difference = (batch["oldLogprobs"] - batch["rolloutLogprobs"]) * mask
    if case["correction"] == "sequence_mask":
        ratio = torch.exp(difference.sum(dim=-1, keepdim=True))
        return ratio.masked_fill(ratio > case["cap"], value=0.0)
    return torch.clamp(torch.exp(difference), max=case["cap"])


def dpo():
    """Three pairs; rows are [chosen..., rejected...], as TRL's collator has them."""
    pairs, mask = 3, torch.tensor([[0.0] + [1.0] * n + [0.0] * (WIDTH - n) for n in LENGTHS])
    logprobs = rounded(-torch.rand(len(LENGTHS), WIDTH) * 2) * mask[:, 1:]
    reference = rounded(logprobs + 0.5 * torch.randn_like(logprobs)) * mask[:, 1:]
    cases = []
    for loss_type in ("sigmoid", "ipo", "hinge"):
        for beta in (0.1, 0.5):
            leaf = logprobs.clone().requires_grad_()
            per_token = leaf * mask[:, 1:]
            trainer = DPOTrainer.__new__(DPOTrainer)
            for name, value in {
                "model": SimpleNamespace(training=True), "accelerator": ACCELERATOR, "_metrics": {"train": defaultdict(list)},
                "loss_types": [loss_type], "loss_weights": [1.0], "beta": beta, "f_divergence_type": "reverse_kl", "ld_alpha": None,
                "precompute_ref_logps": True, "use_weighting": False, "aux_loss_enabled": False, "_total_train_tokens": 0, "_tp_size": 1,
            }.items():
                object.__setattr__(trainer, name, value)
            zeros = torch.zeros_like(per_token)
            outputs = SimpleNamespace(log_probs=per_token, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool())
            sums = reference.sum(dim=1)
            loss = trainer._compute_loss(lambda **_: outputs, {
                "input_ids": torch.zeros_like(mask, dtype=torch.long), "attention_mask": torch.ones_like(mask), "completion_mask": mask.long(),
                "ref_chosen_logps": sums[:pairs], "ref_rejected_logps": sums[pairs:],
            }, False)
            loss.backward()
            metrics = trainer._metrics["train"]
            cases.append({
                "loss_type": loss_type, "beta": beta, "loss": loss.item(),
                "gradients": [{"chosen": leaf.grad[i, 0].item(), "rejected": leaf.grad[i + pairs, 0].item()} for i in range(pairs)],
                "accuracy": metrics["rewards/accuracies"][0], "rewardMargin": metrics["rewards/margins"][0],
                "chosenReward": metrics["rewards/chosen"][0], "rejectedReward": metrics["rewards/rejected"][0],
            })
    sums = {"policy": logprobs.sum(dim=1).tolist(), "reference": reference.sum(dim=1).tolist()}
    return {"pairs": [{"chosen": sums["policy"][i], "rejected": sums["policy"][i + pairs],
                       "referenceChosen": sums["reference"][i], "referenceRejected": sums["reference"][i + pairs],
                       "chosenTokens": LENGTHS[i], "rejectedTokens": LENGTHS[i + pairs]} for i in range(pairs)], "cases": cases}


def rounded(values):
    """Exact in float32, as our logprobs are."""
    return values.to(torch.float32).double()


if __name__ == "__main__":
    main()
