import type { Gpu, GpuInventory } from '../../contracts/gpu.ts';
import type { Logger } from '../../platform/logger.ts';
import { pause } from '../../platform/retry.ts';
import { type GpuReading, type GpuSource, GpuSourceError, NOTHING_READ } from './gpu-source.ts';
import { keepVanished, withoutLost } from './vanished.ts';

export interface GpuService {
  /** What was read last. Waits for a reading when there was none yet, or when `refresh` asks for one; readings are shared. */
  inventory(options: { refresh: boolean }): Promise<GpuInventory>;
  /** Reads now and at intervals, until the signal that the service was made with. */
  watch(): Promise<void>;
}

export interface GpuServiceOptions {
  source: GpuSource;
  everyMs: number;
  /** Whether runs are placed on GPUs. */
  usedByRuns: boolean;
  closing: AbortSignal;
  now: () => number;
  log: Logger;
}

/** Keeps the inventory of the host's GPUs. */
export function createGpuService({ source, everyMs, usedByRuns, closing, now, log }: GpuServiceOptions): GpuService {
  let last: GpuReading = NOTHING_READ;
  let readAt: number | null = null;
  let failure: string | null = null;
  let reading: Promise<void> | null = null;

  const read = async () => {
    const before = last;
    try {
      const found = await source.read(closing);
      // What a file no longer describes was taken out on purpose.
      last = source.kind === 'nvidia' ? keepVanished(before.gpus, found) : found;
      readAt = now();
      failure = null;
    } catch (error) {
      if (closing.aborted) return;
      if (!(error instanceof GpuSourceError)) log.error('Reading the GPUs failed; it is tried again.', { error });
      last = error instanceof GpuSourceError ? { ...last, gpus: withoutLost(last.gpus, error.lost) } : last;
      failure = (error as Error).message;
    }
    tell(before, last);
  };
  const refresh = () => {
    reading ??= read().finally(() => {
      reading = null;
    });
    return reading;
  };

  let told: string | null = null;
  const tell = (before: GpuReading, after: GpuReading) => {
    const trouble = [...(failure === null ? [] : [failure]), ...after.problems].join(' ');
    if (trouble !== (told ?? '')) {
      if (trouble === '') log.info('The GPUs can be read again.');
      else log.warn(`GPUs: ${trouble}`);
      told = trouble;
    }
    for (const gpu of after.gpus)
      tellHealth(
        before.gpus.find(({ uuid }) => uuid === gpu.uuid),
        gpu,
        log,
      );
  };

  return {
    inventory: async ({ refresh: wanted }) => {
      if (wanted || (readAt === null && failure === null)) await refresh();
      return {
        source: source.kind,
        used_by_runs: usedByRuns,
        read_at: readAt === null ? null : new Date(readAt).toISOString(),
        ...last,
        problems: [...(failure === null ? [] : [failure]), ...last.problems],
      };
    },
    watch: async () => {
      if (source.kind === 'none') return;
      for (; !closing.aborted; await pause(everyMs, closing)) await refresh();
    },
  };
}

function tellHealth(before: Gpu | undefined, { index, uuid, health }: Gpu, log: Logger): void {
  if ((before?.health.verdict ?? 'healthy') === health.verdict) return;
  const what = `GPU ${index} (${uuid}) is ${health.verdict}`;
  if (health.verdict === 'healthy') log.info(`${what} again.`);
  else log.warn(`${what}: ${health.findings.map(({ why, remedy }) => `${why} ${remedy}`).join(' ')}`);
}
