import { join } from 'node:path';
import type { RunStatus } from '../../../contracts/run.ts';
import type { TrackerStatus } from '../../../contracts/tracker.ts';
import type { Redactor } from '../../../platform/redaction.ts';
import { pause } from '../../../platform/retry.ts';
import { formatCursor, parseCursor, START } from '../../records/cursor.ts';
import type { RecordService } from '../../records/record.service.ts';
import type { Cursor } from '../../records/record-types.ts';
import type { SinkTarget } from '../../sinks/sink.ts';
import { failureMessage } from '../failure-message.ts';
import type { Tracker } from '../tracker.ts';
import { TrackerError } from '../tracker-error.ts';
import { createBackupFiles } from './backup-files.ts';
import type { Row } from './history-rows.ts';
import { readRows } from './replay.ts';
import { changeRun, keepState } from './state-keeper.ts';
import { type SyncState, syncStateName } from './sync-state.ts';
import type { WandbClient } from './wandb.client.ts';
import { createSender, urlOf } from './wandb-sender.ts';
import type { WandbSettings } from './wandb-settings.ts';

/** Between two requests with rows while the run goes, in milliseconds; the SDK waits 15 s. */
const INTERVAL_MS = 5000;
/** W&B takes a run that is silent for some minutes for crashed. */
const HEARTBEAT_MS = 30_000;

export interface WandbTrackerOptions {
  target: SinkTarget;
  settings: WandbSettings;
  client: WandbClient;
  records: Pick<RecordService, 'since' | 'resumePoints' | 'files'>;
  redactor: Redactor;
  /** `config.json` of the model, null where it cannot be read. */
  modelConfig: () => Promise<Record<string, unknown> | null>;
  /** Somebody has pressed stop in the page of the run. */
  onStop: (message: string) => void;
  now: () => number;
  /** Milliseconds of a clock that nobody sets. */
  steady: () => number;
  /** Which run writes into which W&B run, `<entity>/<project>/<id>`; shared by the trackers of all runs. */
  claims: Map<string, string>;
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Shows a run in Weights & Biases. Rows are a function of the records and each has a line of its own, so whatever is sent twice lands in the same place;
 * what has been answered is in `wandb_sync_state.json`, and a new process goes on from there.
 */
export function createWandbTracker(options: WandbTrackerOptions): Tracker {
  const { target, settings, records, redactor, now, steady, wait = pause } = options;
  const { run, spec, tree } = target;
  const { monitoring } = spec;
  const statePath = join(tree, syncStateName);
  const pinned = monitoring.wandb_run_id ?? settings.runId;
  const project = monitoring.wandb_project ?? settings.project;
  const name = redactor.text(monitoring.wandb_run_name ?? spec.name ?? run);
  const backups = createBackupFiles(
    join(settings.directory === null ? tree : join(settings.directory, run), 'wandb_backup'),
  );

  const mode = pinned !== null && !monitoring.force_new_wandb_run ? 'same' : monitoring.wandb_resume;
  const keeper = keepState({ path: statePath, run, mode });
  const { load, save } = keeper;
  const sender = createSender({
    ...options,
    ...{ keeper, entity: monitoring.wandb_entity ?? settings.entity },
    wishes: { run, name, project, pinned, mode: monitoring.wandb_resume, forceNew: monitoring.force_new_wandb_run },
  });

  /** As far as has been looked, beyond the last row that was sent; null before the state is known. */
  let seen: Cursor | null = null;
  /** Nothing is asked of W&B before, by the steady clock. */
  let heldUntil = Number.NEGATIVE_INFINITY;
  let backedUpTo: Cursor = START;
  let hasBackups = true;
  /** What the disk says that keeps `last_error` from being kept. */
  let diskError: SyncState['last_error'] = null;
  const errorOf = (error: unknown, kind: NonNullable<SyncState['last_error']>['kind']) => ({
    time: iso(now()),
    kind,
    message: redactor.text(failureMessage(error)),
  });
  const sentOf = (at: SyncState): Cursor => parseCursor(at.last_record) ?? START;

  const finish = async (signal: AbortSignal) => {
    const at = await load();
    const end = formatCursor(seen ?? sentOf(at));
    if (at.finished === end) return sender.release();
    const current = at.wandb_runs.at(-1);
    const exitcode = exitCodes[target.status()] ?? 1;
    const told = current?.made === true ? changeRun(await sender.stream(at, { exitcode }, signal), { exitcode }) : at;
    await save({ ...told, last_record: end, last_error: null, finished: end });
    sender.release();
  };

  const sendAll = async (final: boolean, signal: AbortSignal) => {
    const rest = sender.postedAt() + INTERVAL_MS - steady();
    if (!final && rest > 0) await wait(rest, signal);
    let at = await load();
    let evaluated = at.evaluated;
    seen ??= sentOf(at);
    for (let more = true; more && !signal.aborted; ) {
      const page = await readRows(records, run, { cursor: seen, evaluated });
      await sender.send(page.rows, page.evaluated, signal);
      evaluated = page.evaluated.at(-1) ?? evaluated;
      seen = page.cursor;
      more = page.more;
    }
    signal.throwIfAborted();
    if (final) return await finish(signal);
    at = await load();
    const current = at.wandb_runs.at(-1);
    const isOpen = current?.made === true && current.exitcode === null;
    if (isOpen && steady() - sender.postedAt() >= HEARTBEAT_MS)
      await save({ ...(await sender.stream(at, {}, signal)), last_error: null });
    else if (at.last_error !== null) await save({ ...at, last_error: null });
  };

  /** Writes what is not sent where people can see it. */
  const backUp = async (signal: AbortSignal) => {
    const at = await load();
    const sent = sentOf(at);
    let cursor = isAfter(sent, backedUpTo) ? sent : backedUpTo;
    for (let more = true; more && !signal.aborted; ) {
      const page = await readRows(records, run, { cursor, evaluated: at.evaluated });
      hasBackups ||= page.rows.length > 0;
      const toValues = (row: Row) => ({
        ...row.values,
        attempt: row.attempt,
        _trainer_step: row.step,
        _timestamp: row.timestamp,
      });
      await backups.write(page.rows.map((row) => ({ step: row.step, values: toValues(row) })));
      ({ cursor, more } = page);
      backedUpTo = cursor;
    }
  };

  return {
    kind: 'wandb',
    name: statePath,
    remote: true,
    wakesOn: ['records'],
    everyMs: HEARTBEAT_MS,

    async catchUp(final, signal) {
      const at = await load();
      try {
        if (steady() < heldUntil && at.last_error !== null) {
          const kind = at.last_error.kind === 'throttled' ? 'throttled' : 'refused';
          throw new TrackerError(kind, at.last_error.message, { holdMs: heldUntil - steady() });
        }
        await sendAll(final, signal);
        if (hasBackups) await backups.clear();
        hasBackups = false;
        diskError = null;
      } catch (error) {
        if (signal.aborted) throw error;
        const told = await load();
        seen = sentOf(told);
        try {
          if (steady() >= heldUntil) {
            const kind = error instanceof TrackerError ? error.kind : 'other';
            await save({ ...told, last_error: errorOf(error, kind) });
            if (error instanceof TrackerError) heldUntil = steady() + error.holdMs;
          }
          await backUp(signal);
        } catch (unwritten) {
          if (!signal.aborted) diskError = errorOf(unwritten, 'other');
          throw unwritten;
        }
        diskError = null;
        throw error;
      }
    },

    close: sender.release,

    async status() {
      const at = await keeper.peek();
      const stored = sentOf(at);
      const cursor = seen !== null && isAfter(seen, stored) ? seen : stored;
      const current = at.wandb_runs.at(-1);
      const files = records.files(run);
      const backlog = files.map(({ attempt, high }) =>
        attempt < cursor.attempt ? 0 : high - (attempt === cursor.attempt ? cursor.n : 0),
      );
      const error = diskError ?? at.last_error;
      return {
        ...{
          kind: 'wandb',
          state: stateOf({ ...at, last_error: error }, target.status()),
          mode,
          run_id: current?.id ?? null,
          run_name: current?.name ?? null,
        },
        project: [current?.entity ?? monitoring.wandb_entity ?? settings.entity, project]
          .filter((part) => part !== null)
          .join('/'),
        url: current?.made === true ? urlOf(settings, current) : null,
        ...{ last_step: at.last_step, last_record: at.last_record === '0:0' ? null : at.last_record },
        ...{ backlog: backlog.reduce((sum, each) => sum + Math.max(0, each), 0), last_sent_at: at.last_sent_at },
        last_error: error && { time: error.time, message: error.message },
      };
    },
  };
}

/** W&B shows 0 as finished, 255 as killed by somebody, others as failed. */
const exitCodes: Partial<Record<RunStatus, number>> = { succeeded: 0, paused: 255, cancelled: 255 };
const endedOrPaused: readonly RunStatus[] = ['succeeded', 'failed', 'cancelled', 'paused'];

function stateOf(at: SyncState, status: RunStatus): TrackerStatus['state'] {
  if (at.last_error !== null)
    return at.last_error.kind === 'key' || at.last_error.kind === 'refused' ? 'refused' : 'behind';
  if (at.finished !== null && endedOrPaused.includes(status)) return 'finished';
  return at.wandb_runs.length === 0 ? 'waiting' : 'live';
}

function isAfter(a: Cursor, b: Cursor): boolean {
  return a.attempt > b.attempt || (a.attempt === b.attempt && a.n > b.n);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
