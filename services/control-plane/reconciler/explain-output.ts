import { type Failure, remedies } from '../../contracts/reason.ts';
import { oneLine } from '../gpus/one-line.ts';

/** As much of a line as is kept of it. */
const LONGEST_LINE = 300;

interface Known {
  pattern: RegExp;
  reason: Failure;
  cause: string;
  remedy?: string;
  /** It is a GPU itself that is to blame. */
  blamesGpu?: true;
}

interface Explanation {
  reason: Failure;
  message: string;
  /** The line by which a GPU was said to be broken; null where none was. */
  gpuLine: string | null;
}

/** What vLLM prints when it cannot start, as its releases up to 0.30 word it. */
const vllm: readonly Known[] = [
  {
    pattern: /Free memory on device .*is less than desired GPU memory utilization/s,
    reason: 'oom_gpu',
    cause: 'The GPUs had less free memory than vLLM was told to take.',
    remedy:
      'End what else is on them (GET /gpus lists it), or lower inference.vllm.gpu_memory_utilization (0.85 to 0.7), then resume.',
  },
  {
    pattern:
      /No available memory for the cache blocks|larger than the available KV cache memory|larger than the maximum number of tokens that can be stored in KV cache/,
    reason: 'oom_gpu',
    cause: 'Beside the model there is no room for the KV cache of one sequence.',
    remedy:
      'Lower model.max_seq_length, raise inference.vllm.gpu_memory_utilization if nothing else is on the GPUs, or take a profile that gives the server more of them, then resume.',
  },
  {
    pattern: /User-specified max_model_len .{0,40}is greater than\s+(size|the derived)/,
    reason: 'invalid_spec',
    cause: 'The model was not made for sequences of that length.',
    remedy: 'Lower model.max_seq_length to max_position_embeddings of its config.json, then resume.',
  },
  {
    pattern: /LoRA rank \d+ is greater than max_lora_rank|argument --max-lora-rank: invalid choice/,
    reason: 'invalid_spec',
    cause: 'vLLM has no adapter slots of that rank.',
    remedy:
      'Set model.lora.r to 512 or less; a vLLM of your own has to be started with --max-lora-rank of at least model.lora.r.',
  },
  {
    pattern:
      /LocalEntryNotFoundError|OfflineModeIsEnabled|outgoing traffic has been disabled|is not a valid model identifier|Invalid repository ID or local directory|Cannot find any model weights/,
    reason: 'invalid_model',
    cause: 'vLLM reads models from their directory alone, and this one is not complete.',
    remedy: 'Point model.name at a directory that holds config.json, the tokenizer and all weights (*.safetensors).',
  },
  {
    pattern: /Model architectures .{0,200}(are not supported|failed to be inspected)/,
    reason: 'invalid_model',
    cause: 'This vLLM does not know the architecture of the model.',
    remedy: 'Name an image with a newer vLLM in TANDEM_VLLM_IMAGE, or another model.',
  },
  {
    pattern: /must be divisible by tensor parallel size/,
    reason: 'invalid_spec',
    cause: 'The attention heads of the model cannot be divided among so many GPUs.',
    remedy: 'Set inference.vllm.tensor_parallel_size to a number that divides them, then resume.',
  },
  {
    pattern: /Bfloat16 is only supported on GPUs with compute capability/,
    reason: 'invalid_spec',
    cause: 'These GPUs have no bfloat16.',
    remedy: 'Set model.bf16: false, and use a model whose config.json does not say bfloat16, then resume.',
  },
  {
    pattern:
      /unsupported display driver|driver version is insufficient|NVIDIA driver on your system is too old|forward compatibility was attempted/i,
    reason: 'installation_broken',
    cause: 'The NVIDIA driver of the host is too old for the CUDA version of the image.',
    remedy:
      'Update the driver (CUDA 13 needs 580 or newer), or name an image for its CUDA version in TANDEM_VLLM_IMAGE.',
  },
  {
    pattern: /No CUDA GPUs are available|Failed to infer device type|no CUDA-capable device/i,
    reason: 'gpu_unavailable',
    cause: 'The program sees no GPU.',
  },
  {
    pattern: /unrecognized arguments?: --/,
    reason: 'installation_broken',
    cause: 'The image holds a program that does not take the options it was given.',
    remedy: 'Leave TANDEM_VLLM_IMAGE at its default, the version that Tandem was made for.',
  },
  {
    pattern: /huggingface\.co.*(Max retries exceeded|Name or service not known|Temporary failure in name resolution)/s,
    reason: 'inference_failed',
    cause: 'The model cannot be downloaded.',
    remedy: 'Set HF_ENDPOINT to a mirror that can be reached, or give a directory of this host as model.name.',
  },
];

/** What programs print when they meet trouble of a known kind, most telling first; any trainer image prints one of these. */
const known: readonly Known[] = [
  ...vllm,
  {
    pattern:
      /uncorrectable ECC error|CUDA_ERROR_ECC_UNCORRECTABLE|fallen off the bus|CUDA_ERROR_DEVICE_UNAVAILABLE|NVRM: Xid/i,
    reason: 'gpu_unavailable',
    cause: 'A GPU is broken or gone.',
    remedy: 'Look at its health (GET /gpus, nvidia-smi -q); reset it or start the machine anew, then resume.',
    blamesGpu: true,
  },
  {
    pattern:
      /CUDA(?: error:)? out of memory|torch\.(cuda\.)?OutOfMemoryError|CUDA_ERROR_OUT_OF_MEMORY|CUBLAS_STATUS_ALLOC_FAILED/i,
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
  {
    // NCCL names its version at every start.
    pattern:
      /\bNCCL (error|failure|timeout|WARN)|nccl(System|UnhandledCuda|Internal|Remote)Error|collective operation timeout/i,
    reason: 'nccl',
    cause: 'The GPUs cannot talk (NCCL).',
  },
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

/** Lines that a program does not end by, though they may name errors: vLLM warns of each part of it that it does without. */
const HARMLESS = /^(\([\w ]+ pid=\d+\) ?)?(DEBUG|INFO|WARNING) /;

/** What a program's last output says about its end, with the way out; null when it says nothing known. */
export function explainOutput(output: string): Explanation | null {
  const lines = output.split('\n').filter((line) => !HARMLESS.test(line));
  const telling = lines.join('\n');
  const found = known.find(({ pattern }) => pattern.test(telling));
  if (found === undefined) return null;
  const line = found.blamesGpu ? lines.find((each) => found.pattern.test(each)) : undefined;
  return {
    reason: found.reason,
    message: `${found.cause} ${found.remedy ?? remedies[found.reason]}`,
    gpuLine: line === undefined ? null : oneLine(line, LONGEST_LINE),
  };
}
