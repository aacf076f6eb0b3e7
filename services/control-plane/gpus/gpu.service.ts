import type { Gpu, GpuInventory } from '../../contracts/gpu.ts';
import type { Logger } from '../../platform/logger.ts';
import { pause } from '../../platform/retry.ts';
import { type GpuReading, type GpuSource, GpuSourceError, NOTHING_READ } from './gpu-source.ts';
import { keepVanished, withoutLost } from './vanished.ts';

/** What is known of the GPUs, without whose they are. */
export type ReadInventory = Pick<GpuInventory, 'source' | 'read_at'> & GpuReading;

/** A reading that succeeded, with its time on the steady clock in milliseconds. What happened before it began is in it. */
export interface TimedReading extends GpuReading {
  begunAt: number;
  endedAt: number;
}

export interface GpuService {
  /** What was read last. Waits for a reading when there was none yet, or when `refresh` asks for one; readings are shared. */
  inventory(options: { refresh: boolean }): Promise<ReadInventory>;
  /** The same without waiting, null before the first reading; with GPUs that are out of reach since as unusable. */
  newest(): TimedReading | null;
  /** Why the newest reading failed, in words with the remedy; null when it succeeded. */
  failure(): string | null;
  /** Begins a reading beside everything else, unless one goes on or has just ended. `onRead` tells its end. */
  readSoon(): void;
  /** Reads now and at intervals, until the signal that the service was made with. */
  watch(): Promise<void>;
}

export interface GpuServiceOptions {
  source: GpuSource;
  everyMs: number;
  /** Called after each reading, also one that failed. */
  onRead: () => void;
  closing: AbortSignal;
  now: () => number;
  steady: () => number;
  log: Logger;
}

/** The pause between two readings that runs wait for, in milliseconds: nvidia-smi takes a processor for a second on a large host, a file takes nothing. */
const PAUSE_MS = { nvidia: 1000, file: 50, none: 0 } as const;

/** The same after one that failed. */
const RETRY_MS = 5000;

/** Keeps the inventory of the host's GPUs. */
export function createGpuService(options: GpuServiceOptions): GpuService {
  const { source, everyMs, onRead, closing, now, steady, log } = options;
  let last: GpuReading = NOTHING_READ;
  let readAt: number | null = null;
  let times: Pick<TimedReading, 'begunAt' | 'endedAt'> | null = null;
  let triedAt = Number.NEGATIVE_INFINITY;
  let failure: string | null = null;
  let reading: Promise<void> | null = null;

  const read = async () => {
    const before = last;
    const begunAt = steady();
    try {
      const found = await source.read(closing);
      // What a file no longer describes was taken out on purpose.
      last = source.kind === 'nvidia' ? keepVanished(before.gpus, found) : found;
      readAt = now();
      times = { begunAt, endedAt: steady() };
      failure = null;
    } catch (error) {
      if (closing.aborted) return;
      if (!(error instanceof GpuSourceError)) log.error('Reading the GPUs failed; it is tried again.', { error });
      last = error instanceof GpuSourceError ? { ...last, gpus: withoutLost(last.gpus, error.lost) } : last;
      failure = (error as Error).message;
    }
    triedAt = steady();
    tell(before, last);
    onRead();
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
        read_at: readAt === null ? null : new Date(readAt).toISOString(),
        ...last,
        problems: [...(failure === null ? [] : [failure]), ...last.problems],
      };
    },
    newest: () => {
      if (source.kind === 'none') return { ...NOTHING_READ, begunAt: steady(), endedAt: steady() };
      return times && { ...last, ...times };
    },
    failure: () => failure,
    readSoon: () => {
      const pauseMs = failure === null ? PAUSE_MS[source.kind] : RETRY_MS;
      if (source.kind === 'none' || steady() - triedAt < pauseMs || closing.aborted) return;
      void refresh();
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
