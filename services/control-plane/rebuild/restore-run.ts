import { join } from 'node:path';
import type { Manifest } from '../../contracts/checkpoint.ts';
import type { RunEvent } from '../../contracts/event.ts';
import { type Reason, reasonGroups } from '../../contracts/reason.ts';
import { activeStatuses, endedStatuses, type RunStatus, restStatuses } from '../../contracts/run.ts';
import type { BindValue, Database } from '../../platform/database.ts';
import type { AttemptStore } from '../attempts/attempt.store.ts';
import type { CheckpointIndex } from '../checkpoints/checkpoint-index.ts';
import { type CheckpointId, checkpointLabel, isSameCheckpoint } from '../checkpoints/checkpoint-keys.ts';
import type { PinIndex } from '../checkpoints/pin-index.ts';
import type { EventStore } from '../events/event.store.ts';
import { readEventFile } from '../events/event-file.ts';
import type { RecordService } from '../records/record.service.ts';
import { changeStatus } from '../runs/change-status.ts';
import type { RunStore } from '../runs/run.store.ts';
import type { RunFile } from '../runs/run-file.ts';
import { eventFilePath } from '../runs/run-files.ts';
import type { RunRow } from '../runs/run-row.ts';
import { SPOOL_FILE } from '../runtimes/role-specs.ts';
import { type OwedRuns, wantsRemoteTracker } from '../trackers/owed-runs.ts';

export interface RestoreOptions {
  db: Database;
  home: string;
  runs: RunStore;
  attempts: AttemptStore;
  events: EventStore;
  records: RecordService;
  checkpoints: CheckpointIndex;
  pins: PinIndex;
  owed: OwedRuns;
  now: () => number;
}

export interface FoundRun {
  file: RunFile;
  /** Where its tree is, and how people know it. */
  tree: Pick<RunRow, 'tree' | 'output_dir'>;
  manifests: readonly Manifest[];
  pinned: readonly CheckpointId[];
  /** Attempts that have left files, whether `run.json` knows them or not. */
  attempts: readonly number[];
}

const EVENT_BATCH = 1000;

/**
 * Writes a run into an empty database: itself and its attempts from `run.json`, then its events, checkpoints and records. One that was under way is
 * ended, because its trainer cannot be told any more that it goes on; it can be resumed.
 */
export async function restoreRun(found: FoundRun, options: RestoreOptions): Promise<{ ended: boolean }> {
  const { file, tree, manifests, pinned } = found;
  const { db, home, events, records, checkpoints, pins } = options;
  const { schema: _, attempts: lives, ...row } = file;
  db.transaction(() => {
    insertRun({ ...row, ...tree }, options);
    for (const { roles, follows: _follows, ...attempt } of lives) {
      insertInto(db, 'attempts', { ...attempt, run: file.id });
      for (const role of roles) insertInto(db, 'attempt_roles', role);
    }
    for (const manifest of manifests) {
      checkpoints.put(manifest);
      if (pinned.some((id) => isSameCheckpoint(id, manifest))) pins.put(manifest);
    }
  });
  const told = await restoreEvents(file.id, eventFilePath(join(home, 'records'), file.id), events);
  const status = catchUpStatus(file, told.status, options);
  db.transaction(() => {
    noteUnknownAttempts({ ...found, attempts: [...found.attempts, ...told.attempts] }, options);
    for (const { number, follows, resumed_step: step } of lives) {
      const { attempt: resumedFromAttempt, record } = follows;
      records.markSuperseded(file.id, { attempt: number, resumedFromAttempt, record, step });
    }
  });
  const open = options.attempts.open(file.id)?.number;
  if (open !== undefined)
    await records.drain(file.id, open, join(home, 'work', file.id, `a${open}`, 'trainer', SPOOL_FILE));
  await records.recover([file.id]);
  const ended = endIfLive(file.id, status, manifests, options);
  // How far trackers were is not known here; they ask and go on, and send nothing twice. One that was never started has nothing to show.
  const isStarted = options.attempts.current(file.id) !== undefined;
  if ((ended || restStatuses.includes(status)) && isStarted && wantsRemoteTracker(file.spec)) options.owed.add(file.id);
  return { ended };
}

function insertRun(row: Record<string, unknown>, { db, runs }: RestoreOptions): void {
  const known = columnsOf(db, 'runs');
  runs.insert(Object.fromEntries(Object.entries(row).filter(([key]) => known.has(key))) as unknown as RunRow);
}

/** Columns that this build does not have are left out, those that the file does not have get their defaults. */
function insertInto(db: Database, table: 'attempts' | 'attempt_roles', row: Record<string, unknown>): void {
  const known = columnsOf(db, table);
  const entries = Object.entries(row).filter(([key]) => known.has(key)) as [string, BindValue][];
  const names = entries.map(([name]) => name);
  const values = names.map((name) => `:${name}`).join(', ');
  db.run(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${values})`, Object.fromEntries(entries));
}

function columnsOf(db: Database, table: string): Set<string> {
  return new Set(db.all<{ name: string }>(`SELECT name FROM pragma_table_info('${table}')`).map(({ name }) => name));
}

/** Says what the events tell of the run: its last change of status, and its attempts. */
async function restoreEvents(
  run: string,
  path: string,
  events: EventStore,
): Promise<{ status: RunEvent | null; attempts: Set<number> }> {
  const told = { status: null as RunEvent | null, attempts: new Set<number>() };
  let batch: RunEvent[] = [];
  for await (const event of readEventFile(path)) {
    if (event.status !== null) told.status = event;
    if (event.attempt !== null) told.attempts.add(event.attempt);
    batch.push(event);
    if (batch.length < EVENT_BATCH) continue;
    events.restore(run, batch);
    batch = [];
  }
  events.restore(run, batch);
  return told;
}

/** Events are written before `run.json`: where a kill came between the two, they know better what became of the run. */
function catchUpStatus(file: RunFile, last: RunEvent | null, { runs }: RestoreOptions): RunStatus {
  if (last === null || last.status === null || last.status === file.status) return file.status;
  const message = last.message.replace(/^[a-z]+( -> [a-z]+)?: /, '');
  const ended_at = endedStatuses.includes(last.status) ? Date.parse(last.time) : null;
  runs.update(file.id, { status: last.status, reason: last.reason ?? file.reason, message, ended_at });
  return last.status;
}

/**
 * Attempts that began a moment before `run.json` could say so, as far as they can be known: their numbers must not be used again, and they started
 * from the newest checkpoint there was.
 */
function noteUnknownAttempts({ file, attempts, manifests }: FoundRun, { db, records, now }: RestoreOptions): void {
  const known = new Set(file.attempts.map(({ number }) => number));
  const seen = new Set([...attempts, ...manifests.map(({ attempt }) => attempt)]);
  for (const number of [...seen].filter((each) => !known.has(each)).sort((a, b) => a - b)) {
    const start = manifests
      .filter(({ attempt }) => attempt < number)
      .sort((a, b) => b.attempt - a.attempt || b.step - a.step)[0];
    insertInto(db, 'attempts', {
      run: file.id,
      number,
      opened_at: now(),
      ended_at: now(),
      reason: 'control_plane_error',
      message: 'Nothing but its files was known of this attempt when the database was rebuilt.',
      resumed_from: start === undefined ? null : checkpointLabel(start),
      resumed_run: start?.run ?? null,
      resumed_attempt: start?.attempt ?? null,
      resumed_step: start?.step ?? null,
    });
    records.markSuperseded(file.id, {
      attempt: number,
      resumedFromAttempt: start?.attempt ?? null,
      record: start?.record ?? 0,
      step: start?.step ?? null,
    });
  }
}

/** Ends what was under way when the database was lost, by the trainer's own words where it had said how it ended. */
function endIfLive(run: string, status: RunStatus, manifests: readonly Manifest[], options: RestoreOptions): boolean {
  const { db, attempts, events, records, now } = options;
  if (!activeStatuses.includes(status)) return false;
  const open = attempts.open(run)?.number ?? null;
  const outcome = open === null ? null : records.outcome(run, open);
  const done = outcome?.name === 'finished' && isDone(outcome.reason) ? outcome : null;
  const end =
    done === null
      ? {
          status: 'failed' as const,
          reason: 'control_plane_error' as const,
          message: `It was ${status} when the database was lost, which has been rebuilt; resume it (POST /runs/${run}/resume).`,
        }
      : { status: 'succeeded' as const, reason: done.reason as Reason, message: done.message };
  db.transaction(() => {
    if (open !== null) {
      attempts.update(run, open, { ended_at: now(), reason: end.reason, message: end.message });
      const { reason, message } = end;
      events.append({ run, name: 'attempt_ended', actor: 'control_plane', attempt: open, reason, message });
    }
    changeStatus(options, {
      run,
      from: activeStatuses,
      to: {
        ...end,
        stop: null,
        stop_deadline: null,
        ended_at: now(),
        // Its tree is brought up to date by the next control plane.
        files_due: 1,
        ...(manifests.length === 0 ? {} : { start_from: { kind: 'latest' } }),
      },
      actor: 'control_plane',
      attempt: open,
    });
  });
  return true;
}

function isDone(reason: string | null): boolean {
  return (reasonGroups.done as readonly (string | null)[]).includes(reason);
}
