import { execFile } from 'node:child_process';

/** Of all GPUs that the trainer sees. Memory in MiB. */
export interface GpuUsage {
  /** Mean, in percent. */
  readonly utilization: number;
  readonly memoryUsed: number;
  readonly memoryTotal: number;
}

export interface GpuMeter {
  /** What was seen last; null before that, and where there is no GPU or no nvidia-smi. Never waits. */
  latest(): GpuUsage | null;
}

/** As often as nvidia-smi is asked at most: it takes a good part of a second and holds a lock in the driver. */
const EVERY_MS = 5000;
const TIMEOUT_MS = 10_000;

/**
 * @param visible `CUDA_VISIBLE_DEVICES`: UUIDs or indices; empty for no GPU, undefined for all that are there
 * @param now milliseconds that only count on
 */
export function createGpuMeter({
  visible,
  now,
  ask = askSmi,
}: {
  readonly visible: string | undefined;
  readonly now: () => number;
  readonly ask?: (visible: string | undefined) => Promise<string>;
}): GpuMeter {
  let usage: GpuUsage | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;
  let gone = visible === '';

  const refresh = async () => {
    try {
      usage = parseGpuUsage(await ask(visible));
    } catch (error) {
      // A machine without the program has none later; any other trouble may pass.
      gone = (error as NodeJS.ErrnoException).code === 'ENOENT';
      usage = null;
    }
  };

  return {
    latest() {
      if (!gone && now() - askedAt >= EVERY_MS) {
        askedAt = now();
        void refresh();
      }
      return usage;
    },
  };
}

/** Lines of `utilization.gpu, memory.used, memory.total` without units; a GPU that does not tell one of them is left out. Null for no GPU. */
export function parseGpuUsage(csv: string): GpuUsage | null {
  const rows = csv
    .split('\n')
    .map((line) => line.split(',').map((cell) => (cell.trim() === '' ? Number.NaN : Number(cell))))
    .filter((row): row is [number, number, number] => row.length === 3 && row.every(Number.isFinite));
  if (rows.length === 0) return null;
  const sum = (column: 0 | 1 | 2) => rows.reduce((total, row) => total + row[column], 0);
  return { utilization: sum(0) / rows.length, memoryUsed: sum(1), memoryTotal: sum(2) };
}

function askSmi(visible: string | undefined): Promise<string> {
  const query = ['--query-gpu=utilization.gpu,memory.used,memory.total', '--format=csv,noheader,nounits'];
  const which = visible === undefined ? [] : [`--id=${visible}`];
  return new Promise((resolve, reject) => {
    execFile('nvidia-smi', [...query, ...which], { timeout: TIMEOUT_MS }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(error);
    }).unref();
  });
}
