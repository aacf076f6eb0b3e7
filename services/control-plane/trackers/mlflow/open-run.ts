import type { Redactor } from '../../../platform/redaction.ts';
import { START } from '../../records/cursor.ts';
import type { ResumePoint } from '../../records/record-types.ts';
import type { SinkTarget } from '../../sinks/sink.ts';
import type { CleanAxis } from '../clean-axis.ts';
import { shownConfig } from '../shown-config.ts';
import { TrackerError } from '../tracker-error.ts';
import type { HeldRun, MlflowClient } from './mlflow.client.ts';
import { batchesOf, newParams } from './mlflow-rows.ts';
import { type MlflowState, readMlflowState, writeMlflowState } from './mlflow-state.ts';

const RUN_TAG = 'tandem.run';
const MAX_PARAMS = 100;
const MAX_OLD_VALUE = 250;
const ENDED = ['succeeded', 'failed', 'cancelled', 'paused'];

/**
 * Finds the MLflow run of a run, or makes it, and tells it what it has to know of this attempt. An earlier one is known by its tag: a run whose making was
 * answered to nobody is not made twice.
 */
export async function openRun(
  client: MlflowClient,
  {
    target,
    uri,
    experiment,
    axis,
    points,
    redactor,
    now,
  }: {
    target: SinkTarget;
    uri: string;
    experiment: string;
    axis: CleanAxis;
    points: readonly ResumePoint[];
    redactor: Redactor;
    now: () => number;
  },
  signal: AbortSignal,
): Promise<{ run: HeldRun; state: MlflowState }> {
  const { tree, spec } = target;
  const known = await readMlflowState(tree, { run: target.run, uri });
  let run = known === null ? null : await getIfThere(client, known.run_id, signal);
  if (run === null) {
    const experimentId = await client.experiment(experiment, signal);
    const name = redactor.text(spec.monitoring.mlflow_run_name ?? target.run);
    const tags = new Map([[RUN_TAG, target.run]]);
    run =
      (await client.find(experimentId, { key: RUN_TAG, value: target.run }, signal)) ??
      (await client.create({ experimentId, name, startTime: now(), tags }, signal));
  }
  const isKnown = known?.run_id === run.id;
  const goesOn = isKnown && JSON.stringify(known.axis) === JSON.stringify(axis);
  const state = {
    run: target.run,
    tracking_uri: uri,
    experiment_id: run.experimentId,
    run_id: run.id,
    run_name: run.name,
    axis: [...axis],
    cursor: goesOn ? known.cursor : START,
    // What a kill kept from being noted is there all the same.
    last_step: run.latest.size === 0 ? null : Math.max(...run.latest.values()),
    last_sent_at: isKnown ? known.last_sent_at : null,
    status: run.status,
  };
  await writeMlflowState(tree, state);
  await describe(client, run, { target, points, redactor }, signal);
  state.status = run.status;
  return { run, state };
}

/** Parameters and tags of this attempt, and that it goes on. */
async function describe(
  client: MlflowClient,
  run: HeldRun,
  { target, points, redactor }: { target: SinkTarget; points: readonly ResumePoint[]; redactor: Redactor },
  signal: AbortSignal,
): Promise<void> {
  const attempt = points.reduce((newest, point) => Math.max(newest, point.attempt), 1);
  const resumes = points.flatMap(({ attempt: at, resumedFromAttempt: from, step }) =>
    from === null ? [] : [`attempt ${at} from attempt ${from} at step ${step ?? 0}`],
  );
  const tags = new Map([
    [RUN_TAG, target.run],
    ['tandem.attempt', String(attempt)],
    ['tandem.method', target.spec.method],
    ...(resumes.length > 0 ? [['tandem.resumes', resumes.join('; ').slice(0, 5000)] as const] : []),
  ]);
  const changed = new Map([...tags].filter(([key, value]) => run.tags.get(key) !== value));
  if (changed.size > 0) await client.log(run.id, { tags: changed }, signal);
  for (const params of batchesOf(newParams(shownConfig(target.spec, redactor), run.params, attempt), MAX_PARAMS)) {
    await client.log(run.id, { params: new Map(params) }, signal).catch((error: unknown) => {
      if (!(error instanceof TrackerError) || error.kind !== 'refused') throw error;
      // Servers before 2.8 take shorter values.
      const short = params.map(([key, value]) => [key, value.slice(0, MAX_OLD_VALUE)] as const);
      return client.log(run.id, { params: new Map(short) }, signal);
    });
  }
  if (run.status !== 'RUNNING' && !ENDED.includes(target.status())) {
    await client.update(run.id, { status: 'RUNNING' }, signal);
    run.status = 'RUNNING';
  }
}

async function getIfThere(client: MlflowClient, id: string, signal: AbortSignal): Promise<HeldRun | null> {
  try {
    const run = await client.get(id, signal);
    // One that was deleted is still told of, but takes nothing any more.
    return run.isDeleted ? null : run;
  } catch (error) {
    if (error instanceof TrackerError && error.code === 'RESOURCE_DOES_NOT_EXIST') return null;
    throw error;
  }
}
