import { describe, expect, it } from 'vitest';
import { explainOutput } from './explain-output.ts';

describe('the output of a program that ended badly', () => {
  it.each([
    ['torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB', 'oom_gpu', 'batch_size (4 to 2)'],
    ['RuntimeError: CUDA error: uncorrectable ECC error encountered', 'gpu_unavailable', 'nvidia-smi -q'],
    ['FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory', 'oom_host', 'batch_size'],
    ["Error: ENOSPC: no space left on device, write '/home/x'", 'disk_full', 'Free space'],
    ['RuntimeError: NCCL error in: ProcessGroupNCCL.cpp:1275', 'nccl', 'nvidia-smi'],
    ["Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'zod'", 'installation_broken', 'npm ci'],
    ['ImportError: cannot import name x', 'installation_broken', 'npm ci'],
    ['Error: listen EADDRINUSE: address already in use 127.0.0.1:8000', 'inference_failed', 'port is taken'],
    ['requests.exceptions.ConnectionError: HTTPConnectionPool', 'inference_failed', '/health'],
    ['TimeoutError: timed out', 'vllm_unhealthy', 'inference.vllm.timeout'],
  ])('%s: %s', (output, reason, remedy) => {
    expect(explainOutput(`some line\n${output}\n    at frame`)).toMatchObject({
      reason,
      message: expect.stringContaining(remedy),
    });
  });

  it.each([
    [
      'ValueError: Free memory on device cuda:0 (3.25/79.10 GiB) on startup is less than desired GPU memory utilization (0.85, 67.23 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.',
      'oom_gpu',
      'gpu_memory_utilization (0.85 to 0.7)',
    ],
    [
      'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.02 GiB. GPU 0 has a total capacity of 79.10 GiB of which 512.00 MiB is free.',
      'oom_gpu',
      'gpu_memory_utilization (0.85 to 0.7)',
    ],
    [
      "ValueError: To serve at least one request with the model's max seq len (16384), (4.00 GiB KV cache is needed, which is larger than the available KV cache memory (0.65 GiB). Based on the available memory, the estimated maximum model length is 2660.",
      'oom_gpu',
      'Lower model.max_seq_length',
    ],
    [
      'ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`',
      'oom_gpu',
      'KV cache',
    ],
    [
      "  Value error, User-specified max_model_len (65536) is greater than the derived max_model_len (max_position_embeddings=40960 or model_max_length=None in model's config.json).",
      'invalid_spec',
      'Lower model.max_seq_length',
    ],
    ['ValueError: LoRA rank 64 is greater than max_lora_rank 16.', 'invalid_spec', '--max-lora-rank'],
    [
      'vllm serve: error: argument --max-lora-rank: invalid choice: 24 (choose from 1, 8, 16, 32, 64, 128, 256, 320, 512)',
      'invalid_spec',
      'model.lora.r',
    ],
    [
      'huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder for the specified revision on the local disk and outgoing traffic has been disabled.',
      'invalid_model',
      'model.name',
    ],
    [
      'OSError: /tandem/inputs/m is not a local folder and is not a valid model identifier listed on',
      'invalid_model',
      '*.safetensors',
    ],
    [
      "ValueError: Model architectures ['RwkvForCausalLM'] are not supported for now.",
      'invalid_model',
      'TANDEM_VLLM_IMAGE',
    ],
    [
      'ValueError: Total number of attention heads (28) must be divisible by tensor parallel size (8).',
      'invalid_spec',
      'tensor_parallel_size',
    ],
    [
      'RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 803: system has unsupported display driver / cuda driver combination',
      'installation_broken',
      'Update the driver',
    ],
    ['RuntimeError: No CUDA GPUs are available', 'gpu_unavailable', 'sees no GPU'],
    ['vllm: error: unrecognized arguments: --logprobs-mode', 'installation_broken', 'TANDEM_VLLM_IMAGE'],
    ['OSError: [Errno 98] Address already in use', 'inference_failed', 'port is taken'],
    [
      "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded with url: /m/resolve/main/config.json",
      'inference_failed',
      'HF_ENDPOINT',
    ],
  ])('of vLLM, %s: %s', (output, reason, remedy) => {
    const prefix = '(EngineCore_DP0 pid=98) ERROR 04-30 19:50:08 [core.py:1108] ';
    const printed = [
      'INFO 04-30 19:49:01 [pynccl.py:103] vLLM is using nccl==2.27.3',
      'NCCL version 2.27.3+cuda12.9',
      'WARNING 04-30 19:49:02 [_custom_ops.py:20] Failed to import from vllm._C_flash with ImportError',
      `${prefix}EngineCore failed to start.`,
      `${prefix}${output}`,
      'RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}',
    ].join('\n');
    expect(explainOutput(printed)).toMatchObject({ reason, message: expect.stringContaining(remedy) });
  });

  it('is not taken for trouble between GPUs because NCCL said its version', () => {
    expect(explainOutput('NCCL version 2.27.3+cuda12.9\nRuntimeError: something else')).toBeNull();
  });

  it('explains nothing that it does not know', () => {
    expect(explainOutput('Error: x is not a function')).toBeNull();
    expect(explainOutput('')).toBeNull();
  });
});
