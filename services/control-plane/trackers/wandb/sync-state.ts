import { readFile } from 'node:fs/promises';
import { z } from 'zod';

/**
 * `wandb_sync_state.json` in the tree of a run: what W&B has. It is written before a W&B run is made, so that one whose making was cut off is made with
 * the same id, and after each answer, so that what was cut off after it is sent again, to the same lines.
 */
export const syncStateName = 'wandb_sync_state.json';

const wandbRunSchema = z.object({
  id: z.string(),
  name: z.string(),
  project: z.string(),
  /** null until W&B has said it. */
  entity: z.string().nullable(),
  /** Why this one: the first, a new one for a resume, a new one because that is forced, or the one that is pinned. */
  why: z.enum(['first', 'new', 'forced', 'pinned']),
  /** Attempts that it shows, each with the line of its first row. */
  attempts: z.array(z.object({ attempt: z.int(), line: z.int() })).min(1),
  /** Line of the next row, and how many lines there are: more while superseded ones are yet to be overwritten. */
  line: z.int(),
  lines: z.int(),
  /** `_step` of a row less its line. */
  shift: z.int(),
  /** Time of its first row, seconds since 1970. */
  started: z.number(),
  /** Whether it is made as the newest attempt wants it. */
  made: z.boolean(),
  exitcode: z.int().nullable(),
  /** Somebody's stop in the page: one of before a resume does not count, and one that was followed is not followed again. */
  stop: z.enum(['none', 'before', 'followed', 'unknown']),
});
export type WandbRun = z.infer<typeof wandbRunSchema>;

const syncStateSchema = z.object({
  schema: z.literal(1),
  run: z.string(),
  mode: z.enum(['new', 'same']),
  /** Oldest first; rows go to the last one. */
  wandb_runs: z.array(wandbRunSchema),
  /** The last record that W&B has, `<attempt>:<number>`. */
  last_record: z.string().regex(/^\d{1,9}:\d{1,15}$/),
  last_step: z.int().nullable(),
  last_sent_at: z.string().nullable(),
  last_error: z
    .object({
      time: z.string(),
      kind: z.enum(['unreachable', 'throttled', 'key', 'refused', 'other']),
      message: z.string(),
    })
    .nullable(),
  /** The evaluation whose metrics may still come. */
  evaluated: z.object({ attempt: z.int(), step: z.int() }).nullable(),
  summary: z.record(z.string(), z.unknown()),
  /** The last record when W&B was told that the run has ended. */
  finished: z.string().nullable(),
});
export type SyncState = z.infer<typeof syncStateSchema>;

export function newSyncState(run: string, mode: SyncState['mode']): SyncState {
  return {
    ...{ schema: 1, run, mode, wandb_runs: [], last_record: '0:0', last_step: null, last_sent_at: null },
    ...{ last_error: null, evaluated: null, summary: {}, finished: null },
  };
}

/** null where there is none, or one that cannot be used: everything is then sent again, to the same lines. */
export async function readSyncState(path: string, run: string): Promise<SyncState | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const parsed = syncStateSchema.safeParse(parse(text));
  return parsed.success && parsed.data.run === run ? parsed.data : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
