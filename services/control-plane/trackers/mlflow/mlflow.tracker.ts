import type { TrackerStatus } from '../../../contracts/tracker.ts';
import type { Redactor } from '../../../platform/redaction.ts';
import type { CheckpointService } from '../../checkpoints/checkpoint.service.ts';
import { formatCursor, START } from '../../records/cursor.ts';
import type { RecordService } from '../../records/record.service.ts';
import type { SinkTarget } from '../../sinks/sink.ts';
import { cleanAxis, isOnAxis } from '../clean-axis.ts';
import { countBacklog } from '../count-backlog.ts';
import { failureMessage } from '../failure-message.ts';
import type { Tracker } from '../tracker.ts';
import { TrackerError } from '../tracker-error.ts';
import { checkpointLinks } from './checkpoint-links.ts';
import {
  createMlflowClient,
  type HeldRun,
  type MlflowClient,
  type MlflowMetric,
  type MlflowStatus,
} from './mlflow.client.ts';
import { newMetrics } from './mlflow-rows.ts';
import { mlflowServer } from './mlflow-server.ts';
import { type MlflowSettings, refuseTrackingUri } from './mlflow-settings.ts';
import { type MlflowState, readMlflowState, writeMlflowState } from './mlflow-state.ts';
import { openRun } from './open-run.ts';

const FILTER = { kinds: ['metrics'] } as const;
const PAGE = 500;
/** Of one request; the protocol takes 1000 and 1 MB. */
const MAX_METRICS = 1000;
const MAX_BATCH_BYTES = 800_000;
/** Steps of less than a second are sent together. */
const SEND_EVERY_MS = 5000;
const LINKS = 'tandem/links.json';

export interface MlflowOptions {
  target: SinkTarget;
  records: Pick<RecordService, 'since' | 'resumePoints' | 'files'>;
  checkpoints: Pick<CheckpointService, 'list'>;
  settings: MlflowSettings;
  /** Where people find the files of a checkpoint. */
  locationOf: (id: { run: string; attempt: number; step: number }) => string;
  /** Hides secrets of the spec in what is shown of it. */
  redactor: Redactor;
  now: () => number;
  /** Milliseconds of a clock that nobody sets. */
  steady: () => number;
}

interface Opened {
  client: MlflowClient;
  run: HeldRun;
  state: MlflowState;
  /** What was said of the checkpoints. */
  links: string;
}

/** The MLflow run of a run, or null where `monitoring.enable_mlflow` is off. */
export function createMlflowTracker(options: MlflowOptions): Tracker | null {
  const { target, records, checkpoints, settings, locationOf, redactor, now, steady } = options;
  const { monitoring } = target.spec;
  if (!monitoring.enable_mlflow) return null;
  const uri = (monitoring.mlflow_tracking_uri ?? settings.trackingUri)?.replace(/\/+$/, '') ?? null;
  const experiment = monitoring.mlflow_experiment ?? settings.experiment;
  let opened: Opened | null = null;
  let failed: { error: Error; at: number } | null = null;
  /** Nothing is asked of the server before, by the steady clock. */
  let heldUntil = Number.NEGATIVE_INFINITY;
  const currentAxis = () => cleanAxis(records.resumePoints(target.run));

  const open = async (signal: AbortSignal): Promise<Opened> => {
    if (uri === null) {
      throw new TrackerError(
        'refused',
        'No MLflow server is named; set MLFLOW_TRACKING_URI in .env, or monitoring.mlflow_tracking_uri',
      );
    }
    const refusal = refuseTrackingUri(uri);
    if (refusal !== null) throw new TrackerError('refused', `monitoring.mlflow_tracking_uri: ${uri} ${refusal}`);
    const isOurs = settings.trackingUri !== null && new URL(uri).origin === new URL(settings.trackingUri).origin;
    const client = createMlflowClient(
      mlflowServer({ uri, authorization: isOurs ? settings.authorization : null, now }),
    );
    const points = records.resumePoints(target.run);
    return {
      client,
      links: '',
      ...(await openRun(client, { target, uri, experiment, axis: currentAxis(), points, redactor, now }, signal)),
    };
  };

  const send = async ({ client, run, state }: Opened, metrics: readonly MlflowMetric[], signal: AbortSignal) => {
    await client.log(run.id, { metrics }, signal);
    for (const { key, step } of metrics) run.latest.set(key, step);
    state.last_step = Math.max(state.last_step ?? 0, ...metrics.map(({ step }) => step));
    state.last_sent_at = new Date(now()).toISOString();
    await writeMlflowState(target.tree, state);
  };

  const sendMetrics = async (at: Opened, signal: AbortSignal) => {
    const { run, state } = at;
    for (let more = true; more; ) {
      const page = await records.since(target.run, state.cursor, { filter: FILTER, limit: PAGE });
      // An attempt is known before its records are.
      const axis = currentAxis();
      state.axis = [...axis];
      let batch: MlflowMetric[] = [];
      let bytes = 0;
      for (const entry of page.entries) {
        if (entry.record.kind !== 'metrics' || !isOnAxis(axis, entry)) continue;
        for (const metric of newMetrics(entry.record, run.latest)) {
          const size = Buffer.byteLength(JSON.stringify(metric)) + 1;
          if (batch.length === MAX_METRICS || bytes + size > MAX_BATCH_BYTES) {
            await send(at, batch, signal);
            batch = [];
            bytes = 0;
          }
          batch.push(metric);
          bytes += size;
        }
        state.cursor = { attempt: entry.attempt, n: entry.record.n };
      }
      if (batch.length > 0) await send(at, batch, signal);
      state.cursor = page.cursor;
      more = page.more;
    }
  };

  const sendLinks = async (at: Opened, signal: AbortSignal) => {
    const { file, tags } = checkpointLinks(target.run, checkpoints.list(target.run), locationOf);
    const links = JSON.stringify(file);
    if (links === at.links || tags.size === 0) return;
    await at.client.log(at.run.id, { tags }, signal);
    await at.client.putArtifact(at.run, LINKS, file, signal).catch((error: unknown) => {
      // A server may take no artifacts; the tags say the same.
      if (!(error instanceof TrackerError) || !isForPeople(error)) throw error;
    });
    at.links = links;
  };

  const close = async ({ client, run, state }: Opened, signal: AbortSignal) => {
    const status = finalStatus(target);
    if (run.status !== status) await client.update(run.id, { status, endTime: now() }, signal);
    run.status = status;
    state.status = status;
    await writeMlflowState(target.tree, state);
  };

  return {
    kind: 'mlflow',
    name: 'mlflow',
    remote: true,
    wakesOn: ['checkpoints'],
    everyMs: SEND_EVERY_MS,
    async catchUp(final, signal) {
      if (failed?.error instanceof TrackerError && steady() < heldUntil) {
        const { kind, message, code } = failed.error;
        throw new TrackerError(kind, message, { code, holdMs: heldUntil - steady() });
      }
      try {
        opened ??= await open(signal);
        await sendMetrics(opened, signal);
        await sendLinks(opened, signal);
        if (final) await close(opened, signal);
        failed = null;
      } catch (error) {
        // What was sent and not answered may be there; how much is asked before anything is sent again.
        opened = null;
        signal.throwIfAborted();
        failed = { error: error instanceof Error ? error : new Error(String(error)), at: now() };
        if (error instanceof TrackerError) heldUntil = steady() + error.holdMs;
        throw error;
      }
    },
    async status(): Promise<TrackerStatus> {
      const state =
        opened?.state ?? (uri === null ? null : await readMlflowState(target.tree, { run: target.run, uri }));
      const backlog = await countBacklog(records, target.run, state?.cursor ?? START, FILTER);
      const hasEnded = ['succeeded', 'failed', 'cancelled'].includes(target.status());
      const isTold = hasEnded && state?.status === finalStatus(target);
      const isRefused = failed?.error instanceof TrackerError && isForPeople(failed.error);
      const isGoing = isTold && backlog === 0 ? 'finished' : state === null ? 'waiting' : 'live';
      return {
        kind: 'mlflow',
        state: failed === null ? isGoing : isRefused ? 'refused' : 'behind',
        mode: 'same',
        run_id: state?.run_id ?? null,
        run_name: state?.run_name ?? null,
        project: experiment,
        url: state === null ? uri : `${uri}/#/experiments/${state.experiment_id}/runs/${state.run_id}`,
        last_step: state?.last_step ?? null,
        last_record: state === null || state.cursor.attempt === 0 ? null : formatCursor(state.cursor),
        backlog,
        last_sent_at: state?.last_sent_at ?? null,
        last_error:
          failed === null ? null : { time: new Date(failed.at).toISOString(), message: failureMessage(failed.error) },
      };
    },
  };
}

/** Whether a person has to change something. */
function isForPeople({ kind }: TrackerError): boolean {
  return kind === 'key' || kind === 'refused';
}

function finalStatus(target: SinkTarget): MlflowStatus {
  const status = target.status();
  if (status === 'succeeded') return 'FINISHED';
  return status === 'failed' ? 'FAILED' : 'KILLED';
}
