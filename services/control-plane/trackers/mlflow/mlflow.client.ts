import { z } from 'zod';
import { TrackerError } from '../tracker-error.ts';
import { askTracker, type TrackerRequest, type TrackerServer } from '../tracker-request.ts';

export type MlflowStatus = 'RUNNING' | 'FINISHED' | 'FAILED' | 'KILLED';

/** A value as the protocol carries it: NaN and the infinities as words. */
export interface MlflowMetric {
  key: string;
  value: number | 'NaN' | 'Infinity' | '-Infinity';
  /** ms since 1970 */
  timestamp: number;
  step: number;
}

export type Pairs = ReadonlyMap<string, string>;

/** What a server holds of a run. */
export interface HeldRun {
  id: string;
  name: string;
  experimentId: string;
  status: string;
  artifactUri: string;
  params: Pairs;
  tags: Pairs;
  /** The highest step at which each metric has a value. */
  latest: Map<string, number>;
}

/** The part of MLflow's REST protocol (2.0) that runs need. */
export interface MlflowClient {
  /** The id of an experiment, which is made where there is none of the name. */
  experiment(name: string, signal: AbortSignal): Promise<string>;
  /** The run that has a tag, or null. */
  find(experimentId: string, tag: { key: string; value: string }, signal: AbortSignal): Promise<HeldRun | null>;
  create(
    run: { experimentId: string; name: string; startTime: number; tags: Pairs },
    signal: AbortSignal,
  ): Promise<HeldRun>;
  get(id: string, signal: AbortSignal): Promise<HeldRun>;
  /** At most 1000 things in all, of them 100 params and 100 tags. Metrics that are sent twice may be there twice. */
  log(
    id: string,
    batch: { metrics?: readonly MlflowMetric[]; params?: Pairs; tags?: Pairs },
    signal: AbortSignal,
  ): Promise<void>;
  /** `endTime` in ms since 1970 */
  update(id: string, change: { status: MlflowStatus; endTime?: number }, signal: AbortSignal): Promise<void>;
  /** Stores a small file where the server takes artifacts itself; says whether it does. */
  putArtifact(run: HeldRun, path: string, content: unknown, signal: AbortSignal): Promise<boolean>;
}

const pairs = z.array(z.object({ key: z.string(), value: z.string().default('') })).default([]);
const runSchema = z.object({
  info: z.object({
    run_id: z.string(),
    run_name: z.string().default(''),
    experiment_id: z.string(),
    status: z.string().default('RUNNING'),
    artifact_uri: z.string().default(''),
  }),
  data: z
    .object({
      metrics: z.array(z.object({ key: z.string(), step: z.coerce.number().default(0) })).default([]),
      params: pairs,
      tags: pairs,
    })
    .default({ metrics: [], params: [], tags: [] }),
});

export function createMlflowClient(server: TrackerServer): MlflowClient {
  const api = '/api/2.0/mlflow';
  const ask =
    <S extends z.ZodType>(schema: S) =>
    async (request: TrackerRequest): Promise<z.output<S>> => {
      const answer = schema.safeParse(await askTracker(server, request));
      if (answer.success) return answer.data;
      throw new TrackerError(
        'refused',
        `${server.url} answered ${request.what} with something else; look whether it is an MLflow server`,
      );
    };
  const post = <S extends z.ZodType>(path: string, body: object, what: string, schema: S, signal: AbortSignal) =>
    ask(schema)({ method: 'POST', path: `${api}/${path}`, body, what, signal });
  const nothing = z.unknown();
  const oneRun = z.object({ run: runSchema });

  const client: MlflowClient = {
    async experiment(name, signal) {
      const path = `${api}/experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`;
      const schema = z.object({
        experiment: z.object({ experiment_id: z.string(), lifecycle_stage: z.string().default('active') }),
      });
      try {
        const { experiment } = await ask(schema)({ method: 'GET', path, what: `find the experiment ${name}`, signal });
        if (experiment.lifecycle_stage === 'active') return experiment.experiment_id;
        throw new TrackerError(
          'refused',
          `The experiment ${name} on ${server.url} is deleted; restore it there or name another one by monitoring.mlflow_experiment`,
        );
      } catch (error) {
        if (!(error instanceof TrackerError) || error.code !== 'RESOURCE_DOES_NOT_EXIST') throw error;
      }
      const made = z.object({ experiment_id: z.string() });
      try {
        return (await post('experiments/create', { name }, `make the experiment ${name}`, made, signal)).experiment_id;
      } catch (error) {
        // Another run was first.
        if (error instanceof TrackerError && error.code === 'RESOURCE_ALREADY_EXISTS')
          return client.experiment(name, signal);
        throw error;
      }
    },
    async find(experimentId, { key, value }, signal) {
      const body = { experiment_ids: [experimentId], filter: `tags.\`${key}\` = '${value}'`, max_results: 1 };
      const { runs } = await post(
        'runs/search',
        body,
        'find the run',
        z.object({ runs: z.array(runSchema).default([]) }),
        signal,
      );
      return runs[0] === undefined ? null : held(runs[0]);
    },
    async create({ experimentId, name, startTime, tags }, signal) {
      const body = { experiment_id: experimentId, run_name: name, start_time: startTime, tags: listed(tags) };
      return held((await post('runs/create', body, 'make the run', oneRun, signal)).run);
    },
    async get(id, signal) {
      const path = `${api}/runs/get?run_id=${encodeURIComponent(id)}`;
      return held((await ask(oneRun)({ method: 'GET', path, what: 'read the run', signal })).run);
    },
    async log(id, { metrics = [], params = new Map(), tags = new Map() }, signal) {
      const body = { run_id: id, metrics, params: listed(params), tags: listed(tags) };
      await post('runs/log-batch', body, 'log', nothing, signal);
    },
    async update(id, { status, endTime }, signal) {
      const body = { run_id: id, status, ...(endTime !== undefined && { end_time: endTime }) };
      await post('runs/update', body, 'set the status', nothing, signal);
    },
    async putArtifact({ artifactUri }, path, content, signal) {
      // Behind other schemes lies a store that only clients with its keys write to.
      const root = /^mlflow-artifacts:(?:\/\/[^/]*)?\/(.+)$/.exec(artifactUri)?.[1];
      if (root === undefined) return false;
      const full = `/api/2.0/mlflow-artifacts/artifacts/${[...root.split('/'), path].map(encodeURIComponent).join('/')}`;
      await ask(nothing)({ method: 'PUT', path: full, body: content, what: `store ${path}`, signal });
      return true;
    },
  };
  return client;
}

function held({ info, data }: z.output<typeof runSchema>): HeldRun {
  const mapped = (list: { key: string; value: string }[]) => new Map(list.map(({ key, value }) => [key, value]));
  return {
    id: info.run_id,
    name: info.run_name,
    experimentId: info.experiment_id,
    status: info.status,
    artifactUri: info.artifact_uri,
    params: mapped(data.params),
    tags: mapped(data.tags),
    latest: new Map(data.metrics.map(({ key, step }) => [key, step])),
  };
}

function listed(map: Pairs): { key: string; value: string }[] {
  return [...map].map(([key, value]) => ({ key, value }));
}
