import type { Gpu, GpuFinding, GpuHealth } from '../../contracts/gpu.ts';

/** What tells how a GPU is. */
export type Symptoms = Pick<
  Gpu,
  'index' | 'memory_total_mib' | 'ecc' | 'row_remapping' | 'retired_pages_pending' | 'recovery_action' | 'xids'
> & { resetRequired: boolean; fault: string | null };

const REBOOT = 'Reboot the host; if it comes back, replace the GPU.';
const reset = (index: number) => `End what runs on it, then: nvidia-smi --gpu-reset -i ${index}.`;
const resetLater = (index: number) => `Reset it when nothing runs on it: nvidia-smi --gpu-reset -i ${index}.`;

type Kind = Omit<GpuFinding, 'remedy'> & { remedy: (index: number) => string };

/** `nvmlDeviceGpuRecoveryAction_t`, in the words of nvidia-smi; those it may get later count by the word Reboot or Reset in them. */
const ACTIONS: readonly [RegExp, Kind['verdict'], string, Kind['remedy']][] = [
  [/reboot/i, 'unusable', 'a fault that may have harmed the operating system', () => REBOOT],
  [
    /^drain and reset$/i,
    'degraded',
    'a fault, and goes on with less than all of it',
    (index) => `Let what runs on it end, then: nvidia-smi --gpu-reset -i ${index}.`,
  ],
  [
    /drain/i,
    'unusable',
    'a fault on its links to other GPUs',
    () => 'End what runs on it and on the GPUs it is linked to.',
  ],
  [/reset/i, 'unusable', 'a fault that only a reset clears', reset],
];

/** Xid errors after which a GPU is not what it was; what programs do wrong (13, 31, 43, 45) says nothing about it. */
const XIDS = new Map<number, Kind>([
  [48, { verdict: 'unusable', why: 'a memory error that could not be corrected', remedy: reset }],
  [62, { verdict: 'unusable', why: 'a halt of its controller', remedy: reset }],
  [64, { verdict: 'unusable', why: 'a memory row that could not be replaced', remedy: reset }],
  [74, { verdict: 'degraded', why: 'an NVLink error', remedy: () => 'See nvidia-smi nvlink --status for the link.' }],
  [79, { verdict: 'unusable', why: 'it has fallen off the bus', remedy: () => REBOOT }],
  [94, { verdict: 'degraded', why: 'a memory error that ended one program', remedy: resetLater }],
  [95, { verdict: 'unusable', why: 'a memory error that may have spread to other programs', remedy: reset }],
  [119, { verdict: 'unusable', why: 'its system processor does not answer', remedy: reset }],
  [120, { verdict: 'unusable', why: 'an error of its system processor', remedy: reset }],
  [140, { verdict: 'unusable', why: 'memory errors that were not recovered from', remedy: reset }],
]);

/**
 * Whether a GPU can be used. Where the driver gives advice of its own (R550 and newer), Xid errors decide nothing: unlike the kernel log it knows of resets.
 */
export function judgeHealth(symptoms: Symptoms): GpuHealth {
  const found = [...findState(symptoms), ...findMemory(symptoms), ...findXids(symptoms)];
  const findings = [
    ...found.filter(({ verdict }) => verdict === 'unusable'),
    ...found.filter(({ verdict }) => verdict === 'degraded'),
  ];
  return { verdict: findings[0]?.verdict ?? 'healthy', findings };
}

function* findState({
  index,
  fault,
  recovery_action,
  resetRequired,
  memory_total_mib,
}: Symptoms): Generator<GpuFinding> {
  if (fault !== null) {
    const remedy = /reset/i.test(fault) ? reset(index) : REBOOT;
    yield { verdict: 'unusable', why: `The driver answers "${fault}" for it.`, remedy };
  } else if (memory_total_mib === null) {
    yield { verdict: 'unusable', why: 'Its memory cannot be read.', remedy: `See nvidia-smi -q -i ${index}.` };
  }
  if (recovery_action !== null && recovery_action !== 'None') {
    const [, verdict, what, remedy] = ACTIONS.find(([pattern]) => pattern.test(recovery_action)) ?? [
      null,
      'degraded' as const,
      'a fault',
      () => `Look up this recovery action in NVIDIA's documentation of nvidia-smi.`,
    ];
    yield { verdict, why: `It has had ${what}: the driver advises "${recovery_action}".`, remedy: remedy(index) };
  } else if (resetRequired) {
    yield { verdict: 'unusable', why: 'The driver says that a reset is required.', remedy: reset(index) };
  }
}

function* findMemory({ index, ecc, row_remapping: rows, retired_pages_pending }: Symptoms): Generator<GpuFinding> {
  if (rows?.failed) {
    yield {
      verdict: 'unusable',
      why: 'A broken memory row could not be replaced: its spare rows are used up.',
      remedy: 'Replace the GPU.',
    };
  }
  if (rows?.pending) {
    yield {
      verdict: 'degraded',
      why: 'A memory row is replaced by a spare one at the next reset.',
      remedy: resetLater(index),
    };
  }
  if (retired_pages_pending) {
    yield { verdict: 'degraded', why: 'Memory pages are retired at the next reset.', remedy: resetLater(index) };
  }
  if (ecc?.sram_threshold_exceeded) {
    yield {
      verdict: 'degraded',
      why: 'Its on-chip memory has had more errors than it should.',
      remedy: 'Replace the GPU.',
    };
  }
  const errors = ecc?.uncorrected ?? 0;
  if (errors > 0) {
    yield {
      verdict: 'degraded',
      why: `${errors} memory ${errors === 1 ? 'error' : 'errors'} could not be corrected since the driver was loaded.`,
      remedy: `${resetLater(index)} If errors come back, replace the GPU.`,
    };
  }
}

function* findXids({ index, recovery_action, xids }: Symptoms): Generator<GpuFinding> {
  if (recovery_action !== null) return;
  for (const { code, times } of xids) {
    const known = XIDS.get(code);
    if (known === undefined) continue;
    const often = times === 1 ? '' : `, ${times} times`;
    yield {
      verdict: known.verdict,
      why: `The kernel log has Xid ${code} since boot${often}: ${known.why}.`,
      remedy: known.remedy(index),
    };
  }
}
