"""Makes small random models of each family with the results of transformers and PEFT, for services/model/testing/reference.ts to compare with.

    python3 -m venv venv && venv/bin/pip install torch transformers peft bitsandbytes safetensors numpy
    venv/bin/python test/golden/model/make_random.py DIR SEED

DIR/<family>-<n> is a model as transformers saves it (F32, BF16 or F16, some in shards, some with the field names of transformers 4), an adapter as PEFT
saves it, and expected.json with expected.safetensors: logits and token logprobs of a padded batch, gradients of the mean token logprob (the norm of each
and eight of its entries) for all weights, for the adapter, and for the adapter on weights in 4 bits; and logits at the end of a long sequence.
The golden files beside this script are of seed 6.
"""

import json
import os
import random
import shutil
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import peft  # noqa: E402
import torch
import transformers
from safetensors.torch import save_file

from make_nf4 import dequantised

FAMILIES = dict(qwen2=transformers.Qwen2Config, qwen3=transformers.Qwen3Config, llama=transformers.LlamaConfig)
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
TARGETS = ["all-linear", ["q_proj", "v_proj"], ["k_proj", "o_proj", "gate_proj", "down_proj"]]
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
LONG = 3100
SAMPLES = 8


def rope_of(kind, rng):
    if kind == "default":
        return {}
    if kind == "linear":
        return dict(rope_scaling=dict(rope_type="linear", factor=rng.choice([2.0, 4.0, 8.0])))
    return dict(rope_scaling=dict(rope_type="llama3", factor=rng.choice([8.0, 32.0]), low_freq_factor=1.0, high_freq_factor=4.0,
                                  original_max_position_embeddings=rng.choice([64, 512])))


def config_of(family, n, rng):
    heads = rng.choice([2, 4])
    size = heads * rng.choice([4, 6, 8])
    fields = dict(vocab_size=rng.randrange(29, 48), hidden_size=size, intermediate_size=2 * rng.randrange(9, 20), num_hidden_layers=1 + n % 2,
                  num_attention_heads=heads, num_key_value_heads=[heads // 2, heads, 1][n % 3], max_position_embeddings=4096,
                  rope_theta=rng.choice([1e4, 5e5, 1e6]), tie_word_embeddings=rng.random() < 0.5, rms_norm_eps=rng.choice([1e-5, 1e-6]))
    if family != "qwen2":
        fields |= dict(attention_bias=rng.random() < 0.5, head_dim=rng.choice([6, 10, 12]) if n != 2 else size // heads)
    if family == "llama":
        fields |= dict(mlp_bias=rng.random() < 0.5)
    kind = ["default", "linear", "llama3"][n % 3]
    return FAMILIES[family](**fields, **rope_of(kind, rng)), kind


def randomise(parameters, generator, scale=0.3):
    with torch.no_grad():
        for name, parameter in parameters:
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(1 + 0.2 * noise if "norm" in name else scale * noise)


def padded(sequences, side):
    width = max(map(len, sequences))
    rows = [[0] * (width - len(s)) + s if side == "left" else s + [0] * (width - len(s)) for s in sequences]
    ones = [[0] * (width - len(s)) + [1] * len(s) if side == "left" else [1] * len(s) + [0] * (width - len(s)) for s in sequences]
    mask = torch.tensor(ones)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    return dict(input_ids=torch.tensor(rows), attention_mask=mask, position_ids=positions)


def results(model, sequences, side):
    """Logits of all tokens and logprobs of all but the first of each sequence, one sequence after the other without the padding."""
    batch = padded(sequences, side)
    rows = model(**batch).logits
    logits = [row[mask.bool()] for row, mask in zip(rows, batch["attention_mask"])]
    logprobs = [torch.log_softmax(row[:-1], -1)[torch.arange(len(s) - 1), torch.tensor(s[1:])] for row, s in zip(logits, sequences)]
    return torch.cat(logits), torch.cat(logprobs)


def gradients(parameters):
    grads = [parameter.grad.flatten() for _, parameter in parameters]
    places = [[(k + 1) * 7919 % len(grad) for k in range(SAMPLES)] for grad in grads]
    return dict(norms=torch.stack([grad.double().norm().float() for grad in grads]),
                samples=torch.stack([grad[at] for grad, at in zip(grads, places)]))


def measure(prefix, model, trained, sequences, side):
    logits, logprobs = results(model, sequences, side)
    logprobs.mean().backward()
    found = dict(logits=logits.detach(), logprobs=logprobs.detach(), **gradients(trained))
    return {f"{prefix}.{key}": value for key, value in found.items()}


def load(directory):
    return transformers.AutoModelForCausalLM.from_pretrained(directory, attn_implementation="eager", dtype=torch.float32)


def adapted(directory, wanted, generator, quantised):
    base = load(directory)
    if quantised:
        with torch.no_grad():
            for name, parameter in base.named_parameters():
                if any(name.endswith(f"{projection}.weight") for projection in PROJECTIONS):
                    parameter.copy_(dequantised(parameter.detach().clone()))
    model = peft.get_peft_model(base, peft.LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **wanted))
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    randomise(trained, generator, scale=0.15)
    return model, trained


def old_names(directory):
    """The field names of transformers 4, which most models on the hub have."""
    file = directory / "config.json"
    config = json.loads(file.read_text())
    rope = config.pop("rope_parameters")
    config |= dict(rope_theta=rope.pop("rope_theta"), torch_dtype=config.pop("dtype"))
    kind = rope.pop("rope_type")
    config["rope_scaling"] = None if kind == "default" else dict(type=kind, **rope)
    file.write_text(json.dumps(config, indent=2) + "\n")


def make(directory, family, number, n, seed):
    rng, generator = random.Random(f"{seed}/{family}/{n}"), torch.Generator().manual_seed(1000 * seed + 10 * number + n)
    shutil.rmtree(directory, ignore_errors=True)
    config, kind = config_of(family, n, rng)
    dtype = DTYPES[(n + number) % 3]
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32)
    randomise(model.named_parameters(), generator)
    sharded = rng.random() < 0.5
    model.to(dtype).save_pretrained(directory, **(dict(max_shard_size="12KB") if sharded else {}))
    model = load(directory)

    side = ["left", "right"][(n + number) % 2]
    sequences = [[rng.randrange(config.vocab_size) for _ in range(length)] for length in rng.sample(range(2, 13), 3)]
    expected = measure("full", model, list(model.named_parameters()), sequences, side)
    names = [name for name, _ in model.named_parameters()]
    long = n == number
    if long:
        tokens = torch.tensor([[(i * i + 3 * i) % config.vocab_size for i in range(LONG)]])
        with torch.no_grad():
            expected["long.logits"] = model(input_ids=tokens).logits[0, -4:].clone()

    wanted = dict(r=rng.choice([2, 3, 4]), lora_alpha=rng.choice([3, 7, 16]), target_modules=TARGETS[n % 3], use_rslora=rng.random() < 0.3)
    for prefix, quantised in (("lora", False), ("qlora", True)):
        model, trained = adapted(directory, wanted, torch.Generator().manual_seed(seed), quantised)
        expected |= measure(prefix, model, trained, sequences, side)
    adapter_names = [name.replace(".default", "") for name, _ in trained]
    model.peft_config["default"].base_model_name_or_path = directory.name
    model.save_pretrained(directory / "adapter")
    (directory / "adapter" / "README.md").unlink(missing_ok=True)
    if n == 2:
        old_names(directory)

    save_file({key: value.contiguous() for key, value in expected.items()}, directory / "expected.safetensors")
    what = dict(family=family, rope=kind, dtype=str(dtype).removeprefix("torch."), padding=side, sharded=sharded, tied=config.tie_word_embeddings,
                heads=f"{config.num_attention_heads}/{config.num_key_value_heads}", sequences=sequences, long=LONG if long else None,
                names=names, adapter_names=adapter_names)
    (directory / "expected.json").write_text(json.dumps(what) + "\n")
    for file in directory.rglob("*.safetensors"):
        file.chmod(0o644)


if __name__ == "__main__":
    target, seed = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    for number, family in enumerate(FAMILIES):
        for n in range(3):
            make(target / f"{family}-{n}", family, number, n, seed)
    versions = {module.__name__: module.__version__ for module in (torch, transformers, peft, sys.modules["bitsandbytes"])}
    (target / "versions.json").write_text(json.dumps(dict(seed=seed, **versions), indent=2) + "\n")
