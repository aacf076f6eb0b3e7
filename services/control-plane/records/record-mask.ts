import { components, type TrainerRecord } from '../../contracts/record.ts';
import { logLevels } from '../../contracts/run-spec/logging.ts';
import type { RecordFilter } from './record-types.ts';

const KINDS = ['metrics', 'progress', 'evaluation', 'event'] as const;
const FIRST_KIND_BIT = components.length * logLevels.length;

/**
 * One bit for each pair of component and level of a log line, and one for each other kind of record. A block of a file keeps the OR of
 * its records, so that a reader skips blocks that hold nothing it wants.
 */
export function maskOf(record: TrainerRecord): number {
  if (record.kind !== 'log') return 1 << (FIRST_KIND_BIT + KINDS.indexOf(record.kind));
  return logBit(components.indexOf(record.component), logLevels.indexOf(record.level));
}

/** The bits of every record that a filter lets through. */
export function maskOfFilter(filter: RecordFilter): number {
  let mask = 0;
  for (const kind of filter.kinds ?? (['log', ...KINDS] as const)) {
    if (kind === 'log') mask |= maskOfLogs(filter);
    else mask |= 1 << (FIRST_KIND_BIT + KINDS.indexOf(kind));
  }
  return mask;
}

/** Whether a filter lets a record through; the attempt is not looked at. */
export function matches(filter: RecordFilter, record: TrainerRecord): boolean {
  return (maskOf(record) & maskOfFilter(filter)) !== 0;
}

function maskOfLogs(filter: RecordFilter): number {
  let mask = 0;
  for (const [index, component] of components.entries()) {
    if (filter.components !== undefined && !filter.components.includes(component)) continue;
    for (let level = logLevels.indexOf(filter.level ?? 'DEBUG'); level < logLevels.length; level++) {
      mask |= logBit(index, level);
    }
  }
  return mask;
}

function logBit(component: number, level: number): number {
  return 1 << (component * logLevels.length + level);
}
