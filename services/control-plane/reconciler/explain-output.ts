import { type Failure, remedies } from '../../contracts/reason.ts';

interface Explanation {
  reason: Failure;
  message: string;
}

/** What programs print when they meet trouble of a known kind, most telling first; any trainer image prints one of these. */
const known: readonly { pattern: RegExp; reason: Failure; cause: string; remedy?: string }[] = [
  {
    pattern: /CUDA out of memory|torch\.(cuda\.)?OutOfMemoryError|CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED/i,
    reason: 'oom_gpu',
    cause: 'The GPU has no memory left (CUDA out of memory).',
  },
  {
    pattern: /JavaScript heap out of memory|Allocation failed|Cannot allocate memory|ENOMEM|MemoryError|bad_alloc/,
    reason: 'oom_host',
    cause: 'There was no memory left.',
  },
  {
    pattern: /\bENOSPC\b|No space left on device|\bEDQUOT\b/,
    reason: 'disk_full',
    cause: 'The disk is full.',
  },
  { pattern: /\bNCCL\b|ncclSystemError|ncclUnhandledCudaError/, reason: 'nccl', cause: 'The GPUs cannot talk (NCCL).' },
  {
    pattern: /\bERR_MODULE_NOT_FOUND\b|Cannot find (module|package)|ModuleNotFoundError|\bImportError\b/,
    reason: 'installation_broken',
    cause: 'A part of the program is missing.',
  },
  {
    pattern: /\bEADDRINUSE\b|[Aa]ddress already in use/,
    reason: 'inference_failed',
    cause: 'Its port is taken.',
    remedy: 'End the program that listens there; by default Tandem takes a free one.',
  },
  {
    pattern: /\b(ConnectionError|ConnectionRefusedError|ECONNREFUSED|ECONNRESET)\b/,
    reason: 'inference_failed',
    cause: 'A server could not be reached.',
  },
  {
    pattern: /\bTimeoutError\b|\bETIMEDOUT\b/,
    reason: 'vllm_unhealthy',
    cause: 'A server did not answer in time.',
  },
];

/** What a program's last output says about its end, with the way out; null when it says nothing known. */
export function explainOutput(output: string): Explanation | null {
  const found = known.find(({ pattern }) => pattern.test(output));
  if (found === undefined) return null;
  return { reason: found.reason, message: `${found.cause} ${found.remedy ?? remedies[found.reason]}` };
}
