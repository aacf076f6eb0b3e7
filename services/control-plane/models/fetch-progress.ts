import { inBytes } from './model-files.ts';

export interface FetchProgress {
  bytes: number;
  total: number;
  /** Since this fetch began; null in its first moments. */
  bytesPerSecond: number | null;
  etaSeconds: number | null;
}

/** Too short to tell a speed from. */
const FIRST_MS = 500;

/** Counts the bytes of a fetch. What was there before its first byte came says nothing of the speed. */
export function countProgress(total: number, now: () => number) {
  const since = now();
  let [bytes, came] = [0, 0];
  return {
    /** `isNew`: fetched just now, not found on disk. */
    add: (count: number, isNew: boolean): void => {
      bytes += count;
      if (isNew) came += count;
    },
    read: (): FetchProgress => {
      const ms = now() - since;
      const speed = ms < FIRST_MS || came <= 0 ? null : (came * 1000) / ms;
      return {
        bytes,
        total,
        bytesPerSecond: speed === null ? null : Math.round(speed),
        etaSeconds: speed === null ? null : Math.ceil((total - bytes) / speed),
      };
    },
  };
}

/** `312.0 MB of 988.1 MB (31 %), 54.2 MB/s, about 13 s left`. */
export function showProgress({ bytes, total, bytesPerSecond, etaSeconds }: FetchProgress): string {
  const share = total === 0 ? 100 : Math.floor((100 * bytes) / total);
  const speed = bytesPerSecond === null ? '' : `, ${inBytes(bytesPerSecond)}/s, about ${span(etaSeconds ?? 0)} left`;
  return `${inBytes(bytes)} of ${inBytes(total)} (${share} %)${speed}`;
}

function span(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
