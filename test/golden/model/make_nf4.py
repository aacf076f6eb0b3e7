"""Writes nf4.json, which services/model/nf4.test.ts compares with: weights in 4 bits as bitsandbytes makes them.

    python3 -m venv venv && venv/bin/pip install torch bitsandbytes numpy
    venv/bin/python test/golden/model/make_nf4.py [FILE]

Values follow from a formula that both languages compute alike. `codes` are those of bitsandbytes' default backend, which rounds the magnitudes of
blocks to the nearest level as its CUDA kernel does; `cpu_codes` are of its CPU kernel, which looks values up on a grid of 65,536 points first.
"""

import base64
import hashlib
import json
import os
import sys
from pathlib import Path

os.environ["TORCHDYNAMO_DISABLE"] = "1"  # its default backend would be compiled first
import bitsandbytes
import bitsandbytes.functional as F
import numpy
import torch

SHAPES = [(160, 128), (9, 50), (48, 72), (18, 16)]
DEFAULT = torch._C.DispatchKey.CompositeExplicitAutograd


def values(shape, scale):
    place = numpy.arange(1, numpy.prod(shape) + 1, dtype=numpy.float64)
    spread = (place * 2654435761 % 4294967296) / 2147483648 - 1
    return torch.from_numpy((spread * spread * spread * scale).astype(numpy.float32).reshape(shape))


def quantise(weight):
    """Packed values and the state that bitsandbytes keeps, its 8-bit codes rounded to nearest; and what its CPU kernel gives instead.

    The offset is the mean in double precision: torch's float32 mean depends on the machine's vectors and on the number of threads.
    """
    packed, state = F.quantize_4bit(weight, blocksize=64, compress_statistics=True, quant_type="nf4")
    magnitudes = F.quantize_4bit(weight, blocksize=64, quant_type="nf4")[1].absmax
    cpu = dict(cpu_codes=state.absmax, cpu_offset=state.offset)
    state.offset = magnitudes.double().mean().float()
    op = torch.ops.bitsandbytes.quantize_blockwise.default
    state.absmax, state.state2.absmax = op._op_dk(DEFAULT, magnitudes - state.offset, state.state2.code, 256)
    return packed, magnitudes, state, cpu


def dequantise(packed, state):
    """With bitsandbytes' default backend: its CPU kernel for AVX-512 takes wrong magnitudes for rows of 16, 32 or 48 values more than whole blocks."""
    magnitudes = F.dequantize_blockwise(state.absmax, state.state2) + state.offset
    op = torch.ops.bitsandbytes.dequantize_4bit.default
    values = op._op_dk(DEFAULT, packed, magnitudes, state.blocksize, "nf4", list(state.shape), torch.float32)
    if state.shape[-1] % 64 == 0:
        assert torch.equal(values, F.dequantize_4bit(packed, state))
    return values


def dequantised(weight):
    packed, _, state, _ = quantise(weight)
    return dequantise(packed, state)


def data(tensor):
    return tensor.contiguous().flatten().numpy().tobytes()


def main(file):
    cases, state = [], None
    for number, shape in enumerate(SHAPES):
        scale = 0.05 * (number + 1)
        weight = values(shape, scale)
        zeros = [512, 1024] if number == 2 else [0, 0]
        weight.view(-1)[zeros[0]:zeros[1]] = 0
        packed, magnitudes, state, cpu = quantise(weight)
        stored = dict(packed=packed, magnitudes=magnitudes, codes=state.absmax, cpu_codes=cpu["cpu_codes"],
                      block_max=state.state2.absmax)
        cases.append(dict(shape=shape, scale=scale, zeros=zeros, offset=float(state.offset), cpu_offset=float(cpu["cpu_offset"]),
                          **{key: base64.b64encode(data(value)).decode() for key, value in stored.items()},
                          values_sha256=hashlib.sha256(data(dequantise(packed, state))).hexdigest()))
    books = dict(levels=state.code.tolist(), scale_levels=state.state2.code.tolist())
    made = dict(torch=torch.__version__, bitsandbytes=bitsandbytes.__version__, **books, cases=cases)
    file.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "nf4.json")
