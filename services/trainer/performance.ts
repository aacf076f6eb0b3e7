import { statfsSync } from 'node:fs';
import type { MetricValues } from './metrics.ts';

/** Seconds a step spent in its phases, and what it trained on. */
export interface StepTimes {
  /** 0 for methods without rollouts. */
  readonly rolloutSeconds: number;
  readonly trainingSeconds: number;
  readonly samples: number;
}

export interface PerformanceMeter {
  measure(times: StepTimes): MetricValues;
}

const MIB = 2 ** 20;

/**
 * Measures what a step cost (requirement M3): seconds, samples per second, the trainer's resident memory in MiB, the share of one CPU
 * it used since the last step, the used share of the disk that `workspace` is on. There is no GPU figure: this engine uses none.
 */
export function createPerformanceMeter(params: {
  readonly workspace: string;
  readonly now: () => number;
}): PerformanceMeter {
  let lastTime = params.now();
  let lastCpu = process.cpuUsage();
  return {
    measure({ rolloutSeconds, trainingSeconds, samples }) {
      const now = params.now();
      const cpu = process.cpuUsage(lastCpu);
      const wallSeconds = Math.max(1e-3, (now - lastTime) / 1000);
      lastTime = now;
      lastCpu = process.cpuUsage();
      const disk = statfsSync(params.workspace);
      return {
        'perf/rollout_time': rolloutSeconds,
        'perf/training_time': trainingSeconds,
        'perf/throughput': samples / Math.max(1e-3, rolloutSeconds + trainingSeconds),
        'perf/memory_usage': process.memoryUsage.rss() / MIB,
        'system/cpu_usage': (cpu.user + cpu.system) / 1e6 / wallSeconds,
        'system/disk_usage': disk.blocks === 0 ? 0 : 1 - disk.bavail / disk.blocks,
      };
    },
  };
}

export function performanceLine(values: MetricValues): string {
  const seconds = (name: string) => `${(values[name] ?? 0).toFixed(2)}s`;
  return [
    `Performance | rollout_time=${seconds('perf/rollout_time')}`,
    `training_time=${seconds('perf/training_time')}`,
    `throughput=${(values['perf/throughput'] ?? 0).toFixed(1)} samples/s`,
    `memory=${(values['perf/memory_usage'] ?? 0).toFixed(0)} MiB`,
    `cpu=${(100 * (values['system/cpu_usage'] ?? 0)).toFixed(0)}%`,
  ].join(' | ');
}
