"""Writes the reference results that the tests of services/trainer/{objectives,optimizer,checkpoint} compare with.

    python3 -m venv venv && venv/bin/pip install torch transformers numpy
    venv/bin/python test/golden/trainer/make_golden.py          # rewrites torch/ beside this file
    venv/bin/python test/golden/trainer/make_golden.py check    # loads tandem/*.pt, which this project wrote, in torch

torch/*.pt are files of torch.save, torch/*.json what is in them and what torch computes from it. tandem/*.pt are the same optimizer and
scheduler state as this project writes it; `TANDEM_UPDATE_GOLDEN=1 npx vitest run --project fast services/trainer/checkpoint` rewrites
them, and `check` must pass afterwards.
"""

import json
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
import transformers

HERE = Path(__file__).parent
TORCH, TANDEM = HERE / "torch", HERE / "tandem"
SHAPES = {"layer.lora_A.weight": (2, 5), "layer.lora_B.weight": (4, 2), "norm.weight": (5,)}
LR, BETAS, EPS, DECAY, MAX_NORM, STEPS, SAVED_AT = 0.003, (0.9, 0.99), 1e-8, 0.05, 1.0, 6, 3


def main():
    torch.manual_seed(7)
    if sys.argv[1:] == ["check"]:
        check()
        return
    TORCH.mkdir(exist_ok=True)
    adamw()
    schedules()
    values()
    objectives()


def new_optimizer(parameters):
    named = [(name, torch.nn.Parameter(torch.tensor(value))) for name, value in parameters.items()]
    optimizer = torch.optim.AdamW(named, lr=LR, betas=BETAS, eps=EPS, weight_decay=DECAY)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, 2, 10)
    return named, optimizer, schedule


def adamw():
    """Six clipped updates under a schedule; the state after three is saved in the middle."""
    start = {name: torch.randn(shape).tolist() for name, shape in SHAPES.items()}
    named, optimizer, schedule = new_optimizer(start)
    steps = []
    for step in range(STEPS):
        grads = {name: (torch.randn(shape) * (0.1 if step % 2 else 3)).tolist() for name, shape in SHAPES.items()}
        steps.append(one_step(named, optimizer, schedule, grads))
        if step + 1 == SAVED_AT:
            torch.save(optimizer.state_dict(), TORCH / "optimizer.pt")
            torch.save(schedule.state_dict(), TORCH / "scheduler.pt")
            deflate(TORCH / "optimizer.pt", TORCH / "optimizer-deflated.pt")
    write("adamw.json", {
        "lr": LR, "betas": BETAS, "eps": EPS, "weight_decay": DECAY, "max_norm": MAX_NORM, "saved_at": SAVED_AT,
        "start": start, "steps": steps,
    })


def one_step(named, optimizer, schedule, grads):
    for name, parameter in named:
        parameter.grad = torch.tensor(grads[name])
    norm = torch.nn.utils.clip_grad_norm_([parameter for _, parameter in named], MAX_NORM).item()
    lr = optimizer.param_groups[0]["lr"]
    optimizer.step()
    schedule.step()
    return {
        "grads": grads, "norm": norm, "lr": lr,
        "parameters": {name: parameter.detach().tolist() for name, parameter in named},
        "exp_avg": {name: optimizer.state[parameter]["exp_avg"].tolist() for name, parameter in named},
        "exp_avg_sq": {name: optimizer.state[parameter]["exp_avg_sq"].tolist() for name, parameter in named},
    }


def deflate(source, target):
    """The same entries compressed, as a general ZIP tool would store them."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(zipfile.ZipInfo(info.filename), old.read(info), zipfile.ZIP_DEFLATED)


def schedules():
    makers = {
        "constant": lambda optimizer: transformers.get_constant_schedule_with_warmup(optimizer, 3),
        "linear": lambda optimizer: transformers.get_linear_schedule_with_warmup(optimizer, 3, 12),
        "cosine": lambda optimizer: transformers.get_cosine_schedule_with_warmup(optimizer, 3, 12),
    }
    rates = {}
    for name, make in makers.items():
        optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=LR)
        schedule = make(optimizer)
        rates[name] = []
        for _ in range(13):
            rates[name].append(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
    write("schedules.json", {"lr": LR, "warmup_steps": 3, "total_steps": 12, "rates": rates})
    plans()


def plans():
    """What the Trainer makes of epochs, batches and warm-up, and the rates that follow: (examples, batch, accumulation, epochs, max_steps, warmup, type)."""
    asked = [(100, 6, 2, 2.5, -1, 0.03, "cosine"), (100, 6, 2, 1, -1, 0.1, "linear"), (7, 4, 1, 0.3, -1, 0, "cosine"), (10, 4, 8, 3, -1, 0.5, "linear"),
             (64, 8, 1, 9, 20, 0.03, "cosine"), (64, 8, 1, 1, 40, 5, "constant"), (5, 1, 3, 1.01, -1, 1, "linear"), (50, 2, 5, 2, -1, 0.25, "constant")]
    cases = []
    for examples, batch, accumulation, epochs, max_steps, warmup, kind in asked:
        args = transformers.TrainingArguments(
            output_dir="/tmp/tandem-golden", per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation, num_train_epochs=epochs,
            max_steps=max_steps, warmup_steps=warmup, learning_rate=LR, use_cpu=True, report_to=[])
        trainer = transformers.Trainer(model=torch.nn.Linear(1, 1), args=args, train_dataset=[{"x": i} for i in range(examples)])
        total = trainer.set_initial_training_values(args, trainer.get_train_dataloader())[-1]
        optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=LR)
        name = "constant_with_warmup" if kind == "constant" else kind
        schedule = transformers.get_scheduler(name, optimizer, args.get_warmup_steps(total), total)
        rates = []
        for _ in range(total + 1):
            rates.append(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
        cases.append({"examples": examples, "batch_size": batch, "gradient_accumulation_steps": accumulation, "num_epochs": epochs,
                      "max_steps": None if max_steps < 0 else max_steps, "warmup": warmup, "type": kind,
                      "total_steps": total, "warmup_steps": args.get_warmup_steps(total), "rates": rates})
    write("plans.json", {"transformers": transformers.__version__, "lr": LR, "cases": cases})


def values():
    """Types, views, an OrderedDict with metadata, plain values; and a state dict as a training script wraps it."""
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4) / 8
    tensors = OrderedDict(
        float32=base, transposed=base.t(), slice=base[1:, 1:3], float64=base.double(), float16=base.half(), bfloat16=base.bfloat16(),
        int64=torch.tensor([0, -1, 2**40]), scalar=torch.tensor(2.5), empty=torch.zeros(0, 3), shared=base,
    )
    tensors._metadata = OrderedDict({"": {"version": 1}})
    plain = {"int": 5, "byte": 200, "short": 40000, "negative": -3, "long": 5_000_000_000, "minus_long": -(2**40), "float": 1.0,
             "text": "é😀", "none": None, "flags": [True, False], "tuple": (1, 2.5, "x", ()), "nested": {"list": [[1], []]},
             "size": base.shape}
    torch.save({"tensors": tensors, "plain": plain}, TORCH / "values.pt")
    write("values.json", {name: {"shape": list(t.shape), "data": t.flatten().float().tolist()} for name, t in tensors.items()})
    torch.save({"model_state_dict": OrderedDict(("module." + k, v) for k, v in tensors.items()), "step": 40}, TORCH / "wrapped.pt")


def objectives():
    """GRPO and SFT losses with autograd, in float64 on float32 inputs."""
    count, total = 24, 30
    old = -torch.rand(count) * 3
    batch = {
        "logprobs": old + 0.5 * torch.randn(count), "oldLogprobs": old, "rolloutLogprobs": old + 0.6 * torch.randn(count),
        "referenceLogprobs": old + 0.4 * torch.randn(count), "advantages": torch.randn(count),
    }
    options = {"epsilonLow": 0.2, "epsilonHigh": 0.28, "klCoef": 0.05, "mismatchCap": 2.0, "totalTokens": total}
    wide = {name: value.double() for name, value in batch.items()}
    logprobs = wide["logprobs"].requires_grad_()
    ratio = torch.exp(logprobs - wide["oldLogprobs"])
    weight = torch.exp(wide["oldLogprobs"] - wide["rolloutLogprobs"]).clamp(max=options["mismatchCap"])
    clipped = ratio.clamp(1 - options["epsilonLow"], 1 + options["epsilonHigh"])
    surrogate = torch.minimum(ratio * wide["advantages"], clipped * wide["advantages"])
    difference = wide["referenceLogprobs"] - logprobs
    kl = torch.exp(difference) - difference - 1
    policy_loss, kl_loss = -(weight * surrogate).sum() / total, options["klCoef"] * kl.sum() / total
    (policy_loss + kl_loss).backward()
    rewards = [[1.0, 0.0, 0.0, 1.0], [0.1, 0.1, 0.1], [0.5, 0.25, 0.0, 2.0]]
    grouped = [((torch.tensor(g, dtype=torch.float64) - sum(g) / len(g)) / (torch.tensor(g, dtype=torch.float64).std() + 1e-4)).tolist()
               for g in rewards]
    write("objectives.json", {
        "grpo": {"tokens": {name: value.tolist() for name, value in batch.items()}, "options": options,
                 "policyLoss": policy_loss.item(), "klLoss": kl_loss.item(), "grad": logprobs.grad.tolist()},
        "advantages": {"rewards": rewards, "advantages": grouped},
    })


def check():
    reference = json.loads((TORCH / "adamw.json").read_text())
    for options in ({"weights_only": True}, {"weights_only": True, "mmap": True}):
        optimizer_state = torch.load(TANDEM / "optimizer.pt", **options)
        scheduler_state = torch.load(TANDEM / "scheduler.pt", **options)
        same(optimizer_state, torch.load(TORCH / "optimizer.pt", weights_only=True))
        # transformers' lambdas are callable objects without attributes, saved as {}; a plain function is saved as None, as ours are.
        same({**scheduler_state, "lr_lambdas": [{}]}, torch.load(TORCH / "scheduler.pt", weights_only=True))
        named, optimizer, schedule = new_optimizer(reference["steps"][SAVED_AT - 1]["parameters"])
        optimizer.load_state_dict(optimizer_state)
        schedule.load_state_dict(scheduler_state)
        for step in reference["steps"][SAVED_AT:]:
            found = one_step(named, optimizer, schedule, step["grads"])
            assert json.loads(json.dumps(found)) == step, (found, step)
    fresh = torch.load(TANDEM / "optimizer-fresh.pt", weights_only=True)
    named, optimizer, schedule = new_optimizer(reference["start"])
    optimizer.load_state_dict(fresh)
    one_step(named, optimizer, schedule, reference["steps"][0]["grads"])
    assert zipfile.ZipFile(TANDEM / "optimizer.pt").testzip() is None
    print(f"torch {torch.__version__} loads tandem/*.pt and continues with the same bits")


def same(found, expected):
    """Equal in types, order, keys, values, dtypes and shapes."""
    assert type(found) is type(expected), (found, expected)
    if isinstance(expected, torch.Tensor):
        assert found.dtype == expected.dtype and found.shape == expected.shape and torch.equal(found, expected), (found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected), (list(found), list(expected))
        for key, value in expected.items():
            same(found[key], value)
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    else:
        assert found == expected, (found, expected)


def write(name, value):
    (TORCH / name).write_text(json.dumps({"torch": torch.__version__, **value}) + "\n")


if __name__ == "__main__":
    main()
