import type { ModelOrigin } from '../../contracts/model-origin.ts';
import { type RunSpec, runSpecSchema } from '../../contracts/run-spec.ts';
import type { RunRow, StartFrom } from './run-row.ts';

/* How a run lies in its table: some columns are JSON. */

const jsonColumns = ['labels', 'spec', 'warnings', 'start_from', 'reward_files'] as const;
/** A row of the table. */
export type StoredRun = Omit<RunRow, (typeof jsonColumns)[number] | 'model_origin'> &
  Record<(typeof jsonColumns)[number], string> & { model_origin: string | null };

export function toStored(run: Partial<RunRow>): Partial<StoredRun> {
  const stored: Record<string, unknown> = { ...run };
  for (const column of jsonColumns) {
    if (column in run) stored[column] = JSON.stringify(run[column]);
  }
  if (run.model_origin != null) stored['model_origin'] = JSON.stringify(run.model_origin);
  return stored as Partial<StoredRun>;
}

export function parsed(row: StoredRun | undefined): RunRow | undefined {
  return row && parse(row);
}

export function parse(row: StoredRun): RunRow {
  return {
    ...row,
    labels: JSON.parse(row.labels) as Record<string, string>,
    spec: specOf(row.spec),
    warnings: JSON.parse(row.warnings) as string[],
    start_from: JSON.parse(row.start_from) as StartFrom,
    reward_files: JSON.parse(row.reward_files) as string[],
    model_origin: row.model_origin === null ? null : (JSON.parse(row.model_origin) as ModelOrigin),
  };
}

/** How many texts of specs are kept as they were read; a spec has some kilobytes. */
const MOST_KNOWN = 256;
const known = new Map<string, RunSpec>();

/**
 * Options that are newer than a stored spec get their defaults. One that this build cannot read is shown as it is. Every look at a run reads its spec,
 * and checking it takes longer than all else of that: what was read lately is given again, frozen, since several have it.
 */
function specOf(json: string): RunSpec {
  const spec = known.get(json) ?? frozen(read(json));
  // The newest is last, the first one goes.
  known.delete(json);
  known.set(json, spec);
  if (known.size > MOST_KNOWN) known.delete(known.keys().next().value!);
  return spec;
}

function read(json: string): RunSpec {
  const stored: unknown = JSON.parse(json);
  const checked = runSpecSchema.safeParse(stored);
  return checked.success ? checked.data : (stored as RunSpec);
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) frozen(each);
    Object.freeze(value);
  }
  return value;
}
