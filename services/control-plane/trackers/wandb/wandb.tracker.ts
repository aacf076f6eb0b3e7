import { join } from 'node:path';
import type { RunStatus } from '../../../contracts/run.ts';
import type { TrackerStatus } from '../../../contracts/tracker.ts';
import { makeDirectory, writeFileAtomic } from '../../../platform/atomic-file.ts';
import type { Redactor } from '../../../platform/redaction.ts';
import { pause } from '../../../platform/retry.ts';
import { formatCursor, parseCursor, START } from '../../records/cursor.ts';
import type { RecordService } from '../../records/record.service.ts';
import type { Cursor } from '../../records/record-types.ts';
import type { SinkTarget } from '../../sinks/sink.ts';
import type { Tracker } from '../tracker.ts';
import { createBackupFiles } from './backup-files.ts';
import { chooseRun } from './choose-run.ts';
import { lineValues, type Row } from './history-rows.ts';
import { planRun } from './open-run.ts';
import { readRows } from './replay.ts';
import { modelArchitecture, wandbConfig } from './run-config.ts';
import { newSyncState, readSyncState, type SyncState, syncStateName, type WandbRun } from './sync-state.ts';
import { toWandbJson } from './to-json.ts';
import type { StreamRequest, WandbClient, WandbPlace } from './wandb.client.ts';
import { WandbError } from './wandb-error.ts';
import type { WandbSettings } from './wandb-settings.ts';

/** Between two requests with rows while the run goes, in milliseconds; the SDK waits 15 s. */
const INTERVAL_MS = 5000;
/** W&B takes a run that is silent for some minutes for crashed. */
const HEARTBEAT_MS = 30_000;
/** Of 10 MiB that W&B takes at a time. */
const MAX_REQUEST_BYTES = 4 * 2 ** 20;
const BLANKS = 5000;

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
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Shows a run in Weights & Biases. Rows are a function of the records and each has a line of its own, so whatever is sent twice lands in the same place;
 * what has been answered is in `wandb_sync_state.json`, and a new process goes on from there.
 */
export function createWandbTracker(options: WandbTrackerOptions): Tracker {
  const { target, settings, client, records, redactor, now, wait = pause } = options;
  const { run, spec, tree } = target;
  const { monitoring } = spec;
  const statePath = join(tree, syncStateName);
  const pinned = monitoring.wandb_run_id ?? settings.runId;
  const mode = pinned !== null && !monitoring.force_new_wandb_run ? 'same' : monitoring.wandb_resume;
  const project = monitoring.wandb_project ?? settings.project;
  const name = monitoring.wandb_run_name ?? spec.name ?? run;
  const backups = createBackupFiles(
    join(settings.directory === null ? tree : join(settings.directory, run), 'wandb_backup'),
  );

  let state: SyncState | null = null;
  /** As far as has been looked, beyond the last row that was sent. */
  let seen: Cursor = START;
  /** Nothing is asked of W&B before. */
  let heldUntil = 0;
  let postedAt = Number.NEGATIVE_INFINITY;
  let backedUpTo: Cursor = START;
  let hasBackups = true;

  const load = async (): Promise<SyncState> => {
    if (state !== null) return state;
    state = { ...((await readSyncState(statePath, run)) ?? newSyncState(run, mode)), mode };
    seen = parseCursor(state.last_record) ?? START;
    return state;
  };
  const save = async (next: SyncState) => {
    await makeDirectory(tree);
    await writeFileAtomic(statePath, `${toJson(next)}\n`);
    state = next;
  };
  /** Changes the W&B run that is being written. */
  const change = (from: SyncState, current: Partial<WandbRun>): SyncState => {
    const last = from.wandb_runs.at(-1);
    return last === undefined ? from : { ...from, wandb_runs: from.wandb_runs.with(-1, { ...last, ...current }) };
  };

  const stream = async (from: SyncState, request: StreamRequest, signal: AbortSignal): Promise<SyncState> => {
    const current = from.wandb_runs.at(-1) as WandbRun;
    const place: WandbPlace = { ...current, entity: current.entity ?? '' };
    const { stopped } = await client.stream(place, request, signal);
    postedAt = now();
    if (!stopped) return change(from, current.stop === 'unknown' ? { stop: 'none' } : {});
    if (current.stop === 'unknown') return change(from, { stop: 'before' });
    if (current.stop !== 'none' || request.exitcode !== undefined) return from;
    options.onStop(`Stopped in W&B by somebody at ${urlOf(settings, current)}.`);
    return change(from, { stop: 'followed' });
  };

  const parameters = async (attempt: number) => {
    const filter = { kinds: ['log'], components: ['training'], attempt } as const;
    const { entries } = await records.since(run, { attempt, n: 0 }, { filter, limit: 200 });
    for (const { record } of entries) {
      const { total_parameters: total, trainable_parameters: trainable } =
        (record.kind === 'log' && record.fields) || {};
      if (typeof total === 'number' && typeof trainable === 'number') return { total, trainable };
    }
    return null;
  };

  /** Makes the W&B run that rows of the attempt go to, or goes on with it. */
  const ready = async ({ attempt, timestamp }: Row, signal: AbortSignal): Promise<SyncState> => {
    let at = await load();
    const current = at.wandb_runs.at(-1);
    const isPlanned = current?.attempts.at(-1)?.attempt === attempt;
    if (isPlanned && current.made) return at;
    if (!isPlanned) {
      const wishes = {
        run,
        name,
        project,
        pinned,
        mode: monitoring.wandb_resume,
        forceNew: monitoring.force_new_wandb_run,
      };
      const choice = chooseRun(attempt, current ?? null, wishes);
      if (choice.kind === 'open' && current?.made && current.exitcode === null) {
        await save(change(await stream(at, { exitcode: 1 }, signal), { exitcode: 1 }));
        at = await load();
      }
      const entity = monitoring.wandb_entity ?? settings.entity;
      at = await planRun({ state: at, attempt, started: timestamp, choice, entity, project, client, records, signal });
      await save(at);
    }
    const planned = at.wandb_runs.at(-1) as WandbRun;
    const point = records.resumePoints(run).find((each) => each.attempt === attempt);
    const origin = {
      ...{ run, attempt, wandb_run: planned.why, labels: spec.labels },
      resumed_from: point?.resumedFromAttempt == null ? null : { attempt: point.resumedFromAttempt, step: point.step },
    };
    const architecture = modelArchitecture(await options.modelConfig(), await parameters(attempt));
    const place = await client.upsert(
      {
        ...{ id: planned.id, project: planned.project, entity: planned.entity, displayName: planned.name, group: run },
        ...{ jobType: spec.task === 'evaluate' ? 'eval' : 'train', tags: monitoring.wandb_tags, notes: null },
        config: redactor.value(wandbConfig({ spec, architecture, origin })),
      },
      signal,
    );
    at = change(at, { entity: place.entity, project: place.project });
    for (let line = planned.line; line < planned.lines; line += BLANKS) {
      const count = Math.min(BLANKS, planned.lines - line);
      const content = Array.from({ length: count }, (_, i) => toWandbJson({ _step: line + i + planned.shift }));
      at = await stream(at, { history: { offset: line, content } }, signal);
    }
    at = change(at, { made: true });
    await save(at);
    return at;
  };

  const send = async (
    rows: readonly Row[],
    evaluated: readonly SyncState['evaluated'][],
    signal: AbortSignal,
  ): Promise<void> => {
    for (let first = 0; first < rows.length; ) {
      const start = rows[first] as Row;
      const at = await ready(start, signal);
      const current = at.wandb_runs.at(-1) as WandbRun;
      const summary: Record<string, unknown> = { ...at.summary };
      const content: string[] = [];
      let bytes = 0;
      for (const row of rows.slice(first)) {
        const place = { line: current.line + content.length, runtime: Math.max(0, row.timestamp - current.started) };
        const values = lineValues({ row, ...place, line: place.line + current.shift });
        const line = boundedLine(values);
        bytes += Buffer.byteLength(line);
        if (row.attempt !== start.attempt || (content.length > 0 && bytes > MAX_REQUEST_BYTES)) break;
        content.push(line);
        Object.assign(summary, line === toWandbJson(values) ? values : {}, {
          _wandb: { runtime: Math.floor(place.runtime) },
        });
      }
      const last = rows[first + content.length - 1] as Row;
      const history = { offset: current.line, content };
      const answered = await stream(at, { history, summary: toWandbJson(summary) }, signal);
      const line = current.line + content.length;
      await save({
        ...change(answered, { line, lines: Math.max(line, current.lines) }),
        ...{ last_record: formatCursor(last), last_step: last.step, last_sent_at: iso(now()), last_error: null },
        ...{ summary, evaluated: evaluated[first + content.length - 1] ?? null, finished: null },
      });
      first += content.length;
    }
  };

  const finish = async (signal: AbortSignal) => {
    const at = await load();
    const end = formatCursor(seen);
    if (at.finished === end) return;
    const current = at.wandb_runs.at(-1);
    const exitcode = exitCodes[target.status()] ?? 1;
    const told = current?.made === true ? change(await stream(at, { exitcode }, signal), { exitcode }) : at;
    await save({ ...told, last_record: end, last_error: null, finished: end });
  };

  const sendAll = async (final: boolean, signal: AbortSignal) => {
    const rest = postedAt + INTERVAL_MS - now();
    if (!final && rest > 0) await wait(rest, signal);
    let at = await load();
    let evaluated = at.evaluated;
    for (let more = true; more && !signal.aborted; ) {
      const page = await readRows(records, run, { cursor: seen, evaluated });
      await send(page.rows, page.evaluated, signal);
      evaluated = page.evaluated.at(-1) ?? evaluated;
      seen = page.cursor;
      more = page.more;
    }
    signal.throwIfAborted();
    if (final) return await finish(signal);
    at = await load();
    const current = at.wandb_runs.at(-1);
    const isOpen = current?.made === true && current.exitcode === null;
    if (isOpen && now() - postedAt >= HEARTBEAT_MS) await save({ ...(await stream(at, {}, signal)), last_error: null });
    else if (at.last_error !== null) await save({ ...at, last_error: null });
  };

  /** Writes what is not sent where people can see it. */
  const backUp = async (signal: AbortSignal) => {
    const at = await load();
    const sent = parseCursor(at.last_record) ?? START;
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
    name: statePath,
    remote: true,
    wakesOn: ['records'],
    everyMs: HEARTBEAT_MS,

    async catchUp(final, signal) {
      const at = await load();
      try {
        if (now() < heldUntil && at.last_error !== null) {
          throw new WandbError(at.last_error.kind === 'throttled' ? 'throttled' : 'refused', at.last_error.message);
        }
        await sendAll(final, signal);
        if (hasBackups) await backups.clear();
        hasBackups = false;
      } catch (error) {
        if (signal.aborted) throw error;
        const told = await load();
        if (now() >= heldUntil) {
          const kind = error instanceof WandbError ? error.kind : 'other';
          if (error instanceof WandbError) heldUntil = now() + error.holdMs;
          const message = redactor.text(error instanceof Error ? error.message : String(error));
          await save({ ...told, last_error: { time: iso(now()), kind, message } });
        }
        seen = parseCursor(told.last_record) ?? START;
        await backUp(signal);
        throw error;
      }
    },

    async status() {
      const at = state ?? (await readSyncState(statePath, run)) ?? newSyncState(run, mode);
      const stored = parseCursor(at.last_record) ?? START;
      const cursor = isAfter(seen, stored) ? seen : stored;
      const current = at.wandb_runs.at(-1);
      const files = records.files(run);
      const backlog = files.map(({ attempt, high }) =>
        attempt < cursor.attempt ? 0 : high - (attempt === cursor.attempt ? cursor.n : 0),
      );
      const error = at.last_error;
      return {
        ...{
          kind: 'wandb',
          state: stateOf(at, target.status()),
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

/** The page of a run. The hosted API has its pages on another host than itself; a server of one's own has both on one. */
function urlOf(
  { baseUrl }: WandbSettings,
  { entity, project, id }: Pick<WandbRun, 'entity' | 'project' | 'id'>,
): string {
  const host = baseUrl === 'https://api.wandb.ai' ? 'https://wandb.ai' : baseUrl;
  return [host, entity ?? '', project, 'runs', id]
    .map((part, i) => (i === 0 ? part : encodeURIComponent(part)))
    .join('/');
}

/** W&B takes no line of 10 MiB; of a row that is one, it is said how long it was. */
function boundedLine(values: Record<string, unknown>): string {
  const line = toWandbJson(values);
  if (Buffer.byteLength(line) <= MAX_REQUEST_BYTES) return line;
  const { 'train/step': step, attempt, _trainer_step, _step, _runtime, _timestamp } = values;
  return toWandbJson({
    'train/step': step,
    attempt,
    _trainer_step,
    _step,
    _runtime,
    _timestamp,
    'tandem/row_too_long': line.length,
  });
}

function isAfter(a: Cursor, b: Cursor): boolean {
  return a.attempt > b.attempt || (a.attempt === b.attempt && a.n > b.n);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** Summaries may hold what JSON has not. */
function toJson(value: unknown): string {
  const words = (_key: string, each: unknown) =>
    typeof each === 'number' && !Number.isFinite(each) ? String(each) : each;
  return JSON.stringify(value, words, 1);
}
