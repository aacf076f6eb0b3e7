import { describe, expect, it } from 'vitest';
import { explainOutput } from './explain-output.ts';

describe('the output of a program that ended badly', () => {
  it.each([
    ['torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB', 'oom_gpu', 'batch_size (4 to 2)'],
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

  it('explains nothing that it does not know', () => {
    expect(explainOutput('Error: x is not a function')).toBeNull();
    expect(explainOutput('')).toBeNull();
  });
});
