import { formatCursor } from '../../records/cursor.ts';
import type { RecordService } from '../../records/record.service.ts';
import { TrackerError } from '../tracker-error.ts';
import { chooseRun, type RunWishes } from './choose-run.ts';
import { lineValues, type Row } from './history-rows.ts';
import { planRun } from './open-run.ts';
import { modelArchitecture, wandbConfig } from './run-config.ts';
import { changeRun, type StateKeeper } from './state-keeper.ts';
import type { SyncState, WandbRun } from './sync-state.ts';
import { toWandbJson } from './to-json.ts';
import type { StreamRequest, WandbPlace } from './wandb.client.ts';
import type { WandbTrackerOptions } from './wandb.tracker.ts';
import type { WandbSettings } from './wandb-settings.ts';

/** Of 10 MiB that W&B takes at a time. */
const MAX_REQUEST_BYTES = 4 * 2 ** 20;
/** Empty rows at a time. */
const BLANKS = 5000;

/** Sends rows, and notes after each answer what W&B has. */
export interface WandbSender {
  /** `evaluated`: the last evaluation after each of the rows. @throws TrackerError */
  send(rows: readonly Row[], evaluated: readonly SyncState['evaluated'][], signal: AbortSignal): Promise<void>;
  /** One request to the W&B run that is being written; the state after it, which is not saved yet. @throws TrackerError */
  stream(from: SyncState, request: StreamRequest, signal: AbortSignal): Promise<SyncState>;
  /** When W&B last answered, by the steady clock. */
  postedAt(): number;
  /** Nobody else is kept from the W&B run any more. */
  release(): void;
}

export function createSender(
  options: Omit<WandbTrackerOptions, 'wait'> & { keeper: StateKeeper; wishes: RunWishes; entity: string | null },
): WandbSender {
  const { target, settings, client, records, redactor, now, steady, keeper, wishes, entity, claims } = options;
  const { run, spec } = target;
  const { monitoring } = spec;
  const { project } = wishes;
  let postedAt = Number.NEGATIVE_INFINITY;

  /** Two runs that write into one W&B run at a time would overwrite each other's lines. */
  const claim = ({ entity, project, id }: WandbRun) => {
    const key = `${entity ?? ''}/${project}/${id}`;
    const holder = claims.get(key) ?? run;
    if (holder !== run) {
      throw new TrackerError(
        'throttled',
        `${holder} is writing into the W&B run ${id}, to which this one is pinned too; it waits until that has ended, or give each a wandb_run_id of its own`,
      );
    }
    claims.set(key, run);
  };

  const stream = async (from: SyncState, request: StreamRequest, signal: AbortSignal): Promise<SyncState> => {
    const current = from.wandb_runs.at(-1) as WandbRun;
    const place: WandbPlace = { ...current, entity: current.entity ?? '' };
    const { stopped } = await client.stream(place, request, signal);
    postedAt = steady();
    if (!stopped) return changeRun(from, current.stop === 'unknown' ? { stop: 'none' } : {});
    if (current.stop === 'unknown') return changeRun(from, { stop: 'before' });
    if (current.stop !== 'none' || request.exitcode !== undefined) return from;
    options.onStop(`Stopped in W&B by somebody at ${urlOf(settings, current)}.`);
    return changeRun(from, { stop: 'followed' });
  };

  /** Makes the W&B run that rows of the attempt go to, or goes on with it. */
  const ready = async ({ attempt, timestamp }: Row, signal: AbortSignal): Promise<SyncState> => {
    let at = await keeper.load();
    const current = at.wandb_runs.at(-1);
    const isPlanned = current?.attempts.at(-1)?.attempt === attempt;
    if (isPlanned && current.made) {
      claim(current);
      return at;
    }
    if (!isPlanned) {
      const choice = chooseRun(attempt, current ?? null, wishes);
      if (choice.kind === 'open' && current?.made && current.exitcode === null) {
        await keeper.save(changeRun(await stream(at, { exitcode: 1 }, signal), { exitcode: 1 }));
        at = await keeper.load();
      }
      at = await planRun({ state: at, attempt, started: timestamp, choice, entity, project, client, records, signal });
      await keeper.save(at);
    }
    const planned = at.wandb_runs.at(-1) as WandbRun;
    claim(planned);
    const point = records.resumePoints(run).find((each) => each.attempt === attempt);
    const origin = {
      ...{ run, attempt, wandb_run: planned.why, labels: spec.labels },
      resumed_from: point?.resumedFromAttempt == null ? null : { attempt: point.resumedFromAttempt, step: point.step },
    };
    const architecture = modelArchitecture(await options.modelConfig(), await parametersOf(records, run, attempt));
    const place = await client.upsert(
      {
        ...{ id: planned.id, project: planned.project, entity: planned.entity, displayName: planned.name, group: run },
        ...{ jobType: spec.task === 'evaluate' ? 'eval' : 'train', notes: null },
        tags: redactor.value(monitoring.wandb_tags),
        config: redactor.value(wandbConfig({ spec, architecture, origin })),
      },
      signal,
    );
    at = changeRun(at, { entity: place.entity, project: place.project });
    // Where no entity was named, W&B has said now which it is, and another run may name it.
    claim({ ...planned, ...place });
    for (let line = planned.line; line < planned.lines; line += BLANKS) {
      const count = Math.min(BLANKS, planned.lines - line);
      const content = Array.from({ length: count }, (_, i) => toWandbJson({ _step: line + i + planned.shift }));
      at = await stream(at, { history: { offset: line, content } }, signal);
    }
    at = changeRun(at, { made: true });
    await keeper.save(at);
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
      await keeper.save({
        ...changeRun(answered, { line, lines: Math.max(line, current.lines) }),
        ...{ last_record: formatCursor(last), last_step: last.step, last_sent_at: iso(now()), last_error: null },
        ...{ summary, evaluated: evaluated[first + content.length - 1] ?? null, finished: null },
      });
      first += content.length;
    }
  };

  return {
    send,
    stream,
    postedAt: () => postedAt,
    release: () => {
      for (const [key, holder] of claims) if (holder === run) claims.delete(key);
    },
  };
}

/** The trainer says them once it has loaded the model. */
async function parametersOf(records: Pick<RecordService, 'since'>, run: string, attempt: number) {
  const filter = { kinds: ['log'], components: ['training'], attempt } as const;
  const { entries } = await records.since(run, { attempt, n: 0 }, { filter, limit: 200 });
  for (const { record } of entries) {
    const { total_parameters: total, trainable_parameters: trainable } = (record.kind === 'log' && record.fields) || {};
    if (typeof total === 'number' && typeof trainable === 'number') return { total, trainable };
  }
  return null;
}

/** The page of a run. The hosted API has its pages on another host than itself; a server of one's own has both on one. */
export function urlOf(
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

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
