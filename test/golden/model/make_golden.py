"""Writes the reference results that services/model/golden.test.ts compares with.

    python3 -m venv venv && venv/bin/pip install torch transformers peft safetensors numpy
    venv/bin/python test/golden/model/make_golden.py            # rewrites the directories beside this file
    venv/bin/python test/golden/model/make_golden.py check DIR  # loads what this project wrote: DIR/model, DIR/adapter

Each directory holds a tiny random model as transformers saves it, and expected.safetensors: float32 logits, token logprobs,
and the gradients of the mean token logprob, for all weights and, with a PEFT adapter, for the adapter.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy
import peft
import safetensors
import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
SEQUENCES = [[3, 1, 4, 1, 5, 9, 2, 6, 5], [27, 18, 28], [14, 14, 21, 3, 5, 6, 23, 7, 30, 9, 11, 2]]
SIZES = dict(vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=256)


def configs():
    yield "qwen2", transformers.Qwen2Config(**SIZES, tie_word_embeddings=False, rope_theta=1e6), None
    yield "qwen3", transformers.Qwen3Config(**SIZES, head_dim=6, tie_word_embeddings=True), ["q_proj", "v_proj", "down_proj"]
    yield "llama3", transformers.LlamaConfig(
        **SIZES, tie_word_embeddings=False, rope_theta=100.0,
        rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                          original_max_position_embeddings=64)), None
    yield "llama-linear", transformers.LlamaConfig(
        **SIZES, attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
        rope_scaling=dict(rope_type="linear", factor=4.0)), "all-linear"


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(1 + 0.2 * noise if "norm" in name else 0.3 * noise)


def token_logprobs(model, logits_out=None):
    rows = []
    for i, sequence in enumerate(SEQUENCES):
        ids = torch.tensor([sequence])
        logits = model(input_ids=ids).logits[0]
        if logits_out is not None:
            logits_out[f"logits.{i}"] = logits.detach().clone()
        rows.append(torch.log_softmax(logits[:-1], -1)[torch.arange(len(sequence) - 1), ids[0, 1:]])
    return torch.cat(rows)


def golden(name, config, targets, seed):
    directory = HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager", torch_dtype=torch.float32)
    randomise(model, seed)
    shard = dict(max_shard_size="6KB") if name == "qwen2" else {}
    model.save_pretrained(directory, **shard)
    expected = {}
    logprobs = token_logprobs(model, expected)
    expected["logprobs"] = logprobs.detach()
    logprobs.mean().backward()
    for key, parameter in model.named_parameters():
        expected[f"grad.{key}"] = parameter.grad
    if targets is not None:
        adapted(directory, targets, seed, expected)
    save_file({key: value.contiguous() for key, value in expected.items()}, directory / "expected.safetensors")


def adapted(directory, targets, seed, expected):
    base = transformers.AutoModelForCausalLM.from_pretrained(directory, attn_implementation="eager", dtype=torch.float32)
    model = peft.get_peft_model(base, peft.LoraConfig(r=3, lora_alpha=7, lora_dropout=0.0, target_modules=targets,
                                                       task_type="CAUSAL_LM"))
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    logprobs = token_logprobs(model)
    logprobs.mean().backward()
    expected["lora.logprobs"] = logprobs.detach()
    for key, parameter in model.named_parameters():
        if "lora_" in key:
            expected[f"lora.grad.{key.replace('.default', '')}"] = parameter.grad
    model.peft_config["default"].base_model_name_or_path = directory.name
    model.save_pretrained(directory / "adapter")
    (directory / "adapter" / "README.md").unlink(missing_ok=True)


def check(directory):
    """A model and an adapter written by this project load, with nothing missing, and give the logprobs they came with."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory / "model")
    chat = tokenizer.apply_chat_template([dict(role="user", content="38+47=")], add_generation_prompt=True, tokenize=False)
    expected = json.loads((directory / "expected.json").read_text())
    assert chat == expected["chat"], chat
    assert tokenizer.encode(chat, add_special_tokens=False) == expected["ids"]
    assert tokenizer.decode(expected["ids"]) == chat
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        directory / "model", attn_implementation="eager", dtype=torch.float32, output_loading_info=True)
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
    compare("base", model, expected["ids"], expected["base"])
    adapter = peft.PeftModel.from_pretrained(model, directory / "adapter")
    stored = load_file(directory / "adapter" / "adapter_model.safetensors")
    state = peft.get_peft_model_state_dict(adapter)
    assert state.keys() == stored.keys() and all(torch.equal(state[key], stored[key]) for key in stored)
    compare("adapter", adapter, expected["ids"], expected["adapter"])


def compare(what, model, ids, expected):
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0, :-1]
    actual = torch.log_softmax(logits, -1)[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]
    difference = (actual - torch.tensor(expected)).abs().max().item()
    print(what, "logprobs differ by at most", difference)
    assert difference < 1e-4


if sys.argv[1:2] == ["check"]:
    check(Path(sys.argv[2]))
else:
    for number, (name, config, targets) in enumerate(configs()):
        golden(name, config, targets, seed=100 + number)
    for file in HERE.rglob("*.safetensors"):
        file.chmod(0o644)
    versions = dict(torch=torch.__version__, transformers=transformers.__version__, peft=peft.__version__,
                    safetensors=safetensors.__version__, numpy=numpy.__version__, sequences=SEQUENCES)
    (HERE / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")
