import { z } from 'zod';
import { reasonSchema } from '../../contracts/reason.ts';
import { runIdSchema, runStatusSchema } from '../../contracts/run.ts';
import { methodSchema, runSpecSchema } from '../../contracts/run-spec.ts';
import type { AttemptRow, AttemptStore } from '../attempts/attempt.store.ts';
import type { RecordService } from '../records/record.service.ts';
import type { RunRow } from './run-row.ts';

const SCHEMA = 'tandem.run/1';

const attemptFileSchema = z.looseObject({
  number: z.int().min(1),
  opened_at: z.int(),
  ended_at: z.int().nullable(),
  resumed_run: z.string().nullable(),
  resumed_attempt: z.int().nullable(),
  resumed_step: z.int().nullable(),
  /** The last record that the checkpoint it started from covers, and whose. */
  follows: z.object({ attempt: z.int().nullable(), record: z.int() }),
  roles: z.array(z.looseObject({ role: z.enum(['inference', 'trainer']), start: z.int().min(1) })),
});

/**
 * `runs/<id>/run.json` in the object store: all that is known of a run and not in its records, events and checkpoints, so that the database can be
 * rebuilt. Keys are the columns of its tables; others are ignored when it is read, so that builds may add some.
 */
export const runFileSchema = z.looseObject({
  schema: z.literal(SCHEMA),
  id: runIdSchema,
  method: methodSchema,
  status: runStatusSchema,
  reason: reasonSchema,
  message: z.string(),
  spec: runSpecSchema,
  labels: z.record(z.string(), z.string()),
  warnings: z.array(z.string()),
  start_from: z.looseObject({ kind: z.enum(['beginning', 'latest', 'checkpoint', 'directory']) }),
  output_dir: z.string(),
  tree: z.string(),
  created_at: z.int(),
  attempts: z.array(attemptFileSchema),
});
export type RunFile = z.infer<typeof runFileSchema>;

export function runFileKey(id: string): string {
  return `runs/${id}/run.json`;
}

/** The text of `run.json`. Hashes of tokens stay out of it. */
export function renderRunFile(
  run: RunRow,
  {
    attempts,
    records,
  }: { attempts: Pick<AttemptStore, 'list' | 'roles'>; records: Pick<RecordService, 'resumePoints'> },
): string {
  const points = new Map(records.resumePoints(run.id).map((point) => [point.attempt, point]));
  const lives = attempts.list(run.id).map(({ token_hash: _, ...attempt }: AttemptRow) => {
    const point = points.get(attempt.number);
    return {
      ...attempt,
      follows: { attempt: point?.resumedFromAttempt ?? null, record: point?.record ?? 0 },
      roles: attempts.roles(run.id, attempt.number),
    };
  });
  return `${JSON.stringify({ schema: SCHEMA, ...run, attempts: lives }, null, 2)}\n`;
}
