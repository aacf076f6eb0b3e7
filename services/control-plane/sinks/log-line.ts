import type { Component, LogRecord } from '../../contracts/record.ts';

/** What a line of a log file says about itself. */
export interface LinePosition {
  run: string;
  attempt: number;
  n: number;
  /** Of what a role printed: which start of the role within the attempt. */
  start?: number;
  /** `YYYY-MM-DD`, UTC */
  day: string;
}

/** Which log file a component's lines go to, unless the spec names another. */
export const fileNames: Readonly<Record<Component, string>> = {
  training: 'training.log',
  eval: 'training.log',
  rollout: 'rollouts.log',
  performance: 'performance.log',
};

/** A log record as a line of the run's log files, without the newline. Fields cannot stand in for the keys that are the line's own. */
export function toLogLine(run: string, attempt: number, record: LogRecord): string {
  const { time: timestamp, level, component, message, n } = record;
  const own = { timestamp, level, component, message, attempt, n, run };
  const fields = Object.fromEntries(Object.entries(record.fields ?? {}).filter(([key]) => !(key in own)));
  return JSON.stringify({ ...own, ...fields });
}

/** Where a line stands, or null when it is not one of ours. */
export function positionOfLine(line: string): LinePosition | null {
  try {
    const { run, attempt, start, n, timestamp } = JSON.parse(line) as Record<string, unknown>;
    if (
      typeof run !== 'string' ||
      typeof attempt !== 'number' ||
      typeof n !== 'number' ||
      typeof timestamp !== 'string'
    ) {
      return null;
    }
    return { run, attempt, n, ...(typeof start === 'number' && { start }), day: timestamp.slice(0, 10) };
  } catch {
    return null;
  }
}
