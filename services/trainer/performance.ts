import { statfsSync } from 'node:fs';
import { createGpuMeter, type GpuMeter } from './gpu-usage.ts';
import type { MetricValues } from './metrics.ts';

/** Seconds a step spent in its phases, and what it trained on. */
export interface StepTimes {
  /** 0 for methods without rollouts. */
  readonly rolloutSeconds: number;
  readonly trainingSeconds: number;
  readonly samples: number;
  readonly tokens: number;
  /** Of the rollout seconds, until the server served the current weights; left out for methods without a server. */
  readonly weightSyncSeconds?: number;
}

export interface PerformanceMeter {
  measure(times: StepTimes): MetricValues;
}

const MIB = 2 ** 20;
const KIB_IN_MIB = 1024;

/**
 * Measures what a step cost and what it took of the machine (requirement M3); `contracts/metrics.ts` says what each figure is. Those of GPUs are there
 * where nvidia-smi shows some, and at most some seconds old.
 */
export function createPerformanceMeter(params: {
  readonly workspace: string;
  readonly now: () => number;
  readonly gpus?: GpuMeter;
}): PerformanceMeter {
  const gpus = params.gpus ?? createGpuMeter({ visible: process.env['CUDA_VISIBLE_DEVICES'], now: params.now });
  let gpuPeak = 0;
  let lastTime = params.now();
  let lastCpu = process.cpuUsage();
  return {
    measure({ rolloutSeconds, trainingSeconds, samples, tokens, weightSyncSeconds }) {
      const now = params.now();
      const cpu = process.cpuUsage(lastCpu);
      const wallSeconds = Math.max(1e-3, (now - lastTime) / 1000);
      lastTime = now;
      lastCpu = process.cpuUsage();
      const disk = statfsSync(params.workspace);
      const stepSeconds = Math.max(1e-3, rolloutSeconds + trainingSeconds);
      const gpu = gpus.latest();
      gpuPeak = Math.max(gpuPeak, gpu?.memoryUsed ?? 0);
      return {
        'perf/rollout_time': rolloutSeconds,
        'perf/training_time': trainingSeconds,
        ...(weightSyncSeconds !== undefined && { 'perf/weight_sync_time': weightSyncSeconds }),
        'perf/throughput': samples / stepSeconds,
        'perf/tokens_per_second': tokens / stepSeconds,
        'perf/memory_usage': process.memoryUsage.rss() / MIB,
        'perf/peak_memory': process.resourceUsage().maxRSS / KIB_IN_MIB,
        ...(gpu !== null && {
          'perf/gpu_utilization': gpu.utilization,
          'system/gpu_memory_used': gpu.memoryUsed,
          'system/gpu_memory_total': gpu.memoryTotal,
          'system/gpu_memory_peak': gpuPeak,
        }),
        'system/cpu_usage': (cpu.user + cpu.system) / 1e6 / wallSeconds,
        'system/disk_usage': disk.blocks === 0 ? 0 : 1 - disk.bavail / disk.blocks,
      };
    },
  };
}

export function performanceLine(values: MetricValues): string {
  const gpu = values['perf/gpu_utilization'];
  const seconds = (name: string) => `${(values[name] ?? 0).toFixed(2)}s`;
  return [
    `Performance | rollout_time=${seconds('perf/rollout_time')}`,
    `training_time=${seconds('perf/training_time')}`,
    `throughput=${(values['perf/throughput'] ?? 0).toFixed(1)} samples/s`,
    `memory=${(values['perf/memory_usage'] ?? 0).toFixed(0)} MiB`,
    `cpu=${(100 * (values['system/cpu_usage'] ?? 0)).toFixed(0)}%`,
    ...(gpu === undefined ? [] : [`gpu=${gpu.toFixed(0)}%`]),
  ].join(' | ');
}
