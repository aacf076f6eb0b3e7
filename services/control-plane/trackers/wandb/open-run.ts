import type { RecordService } from '../../records/record.service.ts';
import type { RunChoice } from './choose-run.ts';
import { lineageTo, replay } from './replay.ts';
import type { SyncState, WandbRun } from './sync-state.ts';
import type { HeldByWandb, WandbClient } from './wandb.client.ts';

export interface OpenOptions {
  state: SyncState;
  attempt: number;
  /** Of its first row, seconds since 1970. */
  started: number;
  choice: RunChoice;
  entity: string | null;
  project: string;
  client: Pick<WandbClient, 'held'>;
  records: Pick<RecordService, 'since' | 'resumePoints'>;
  signal: AbortSignal;
}

/**
 * Where the rows of an attempt go, as a state to be kept before anything is sent: in a W&B run of its own, behind what a pinned one holds, or in the one
 * there is, from the line behind what the attempt was resumed from. Lines that others have written into a pinned one in the meantime are not touched.
 */
export async function planRun(options: OpenOptions): Promise<SyncState> {
  const { state, choice } = options;
  const current = state.wandb_runs.at(-1);
  if (choice.kind === 'continue' && current !== undefined) {
    const { entity, project, client, signal } = options;
    const held = await client.held({ ...current, entity: current.entity ?? entity, project }, signal);
    if (held !== null) return await continued(options, current, held);
    // Somebody has deleted it there; its id cannot be had again.
    const { run } = state;
    const again = `${run}-a${options.attempt}`;
    return opened(options, { id: again, name: `${current.name}-a${options.attempt}`, why: 'new' }, null);
  }
  if (choice.kind === 'continue') throw new Error('there is no W&B run to go on in');
  const { entity, project, client, signal } = options;
  const held = choice.why === 'pinned' ? await client.held({ entity, project, id: choice.id }, signal) : null;
  return opened(options, choice, held);
}

function opened(
  { state, attempt, started, entity, project }: OpenOptions,
  { id, name, why }: Pick<WandbRun, 'id' | 'name' | 'why'>,
  held: HeldByWandb | null,
): SyncState {
  const line = held?.historyLines ?? 0;
  const next: WandbRun = {
    ...{ id, name, why, project, entity, line, lines: line, shift: shiftOf(held), started },
    ...{ attempts: [{ attempt, line }], made: false, exitcode: null, stop: held === null ? 'none' : 'unknown' },
  };
  return { ...state, wandb_runs: [...state.wandb_runs, next], summary: held?.summary ?? {}, finished: null };
}

async function continued(options: OpenOptions, current: WandbRun, held: HeldByWandb): Promise<SyncState> {
  const { state, attempt, records } = options;
  const resumed: WandbRun = { ...current, made: false, exitcode: null, stop: 'unknown' };
  if (current.why === 'pinned' && held.historyLines > current.lines) {
    const line = held.historyLines;
    const behind = { ...resumed, line, lines: line, shift: shiftOf(held), attempts: [{ attempt, line }] };
    return { ...state, wandb_runs: state.wandb_runs.with(-1, behind), finished: null };
  }
  const shown = new Set(current.attempts.map((each) => each.attempt));
  const pieces = lineageTo(attempt, records.resumePoints(state.run), shown);
  const { rows, summary } = await replay(records, state.run, pieces);
  const line = (current.attempts[0]?.line ?? 0) + rows;
  const attempts = [...current.attempts, { attempt, line }];
  // Where the state was lost there are lines already of attempts that are sent again.
  const lines = Math.max(current.lines, held.historyLines);
  const next = { ...resumed, line, lines, attempts };
  return { ...state, wandb_runs: state.wandb_runs.with(-1, next), summary, finished: null };
}

/** `_step` has to grow, whatever others have called their rows. */
function shiftOf(held: HeldByWandb | null): number {
  if (held === null) return 0;
  const last = held.lastRow?.['_step'];
  return typeof last === 'number' ? Math.max(0, last + 1 - held.historyLines) : 0;
}
