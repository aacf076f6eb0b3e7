import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What goes wrong with a request: an answer in place of its own, or none, before or after it was done. */
export type Fault =
  | { path: string; status: number; headers?: Record<string, string> }
  | { path: string; end: 'cut before' | 'cut after' };

interface Metric {
  key: string;
  value: number | string;
  timestamp: number;
  step: number;
}

interface StoredRun {
  info: {
    run_id: string;
    run_name: string;
    experiment_id: string;
    status: string;
    artifact_uri: string;
    end_time?: number;
  };
  metrics: Metric[];
  params: Map<string, string>;
  tags: Map<string, string>;
}

type Body = Record<string, never> & {
  name: string;
  run_id: string;
  run_name: string;
  experiment_id: string;
  filter: string;
  status: string;
  end_time: number;
  metrics?: Metric[];
  params?: { key: string; value: string }[];
  tags?: { key: string; value: string }[];
};

export interface FakeMlflow {
  uri: string;
  runs: StoredRun[];
  artifacts: Map<string, string>;
  /** Paths that were asked for, in order. */
  requests: string[];
  /** Each is used up by the first request whose path ends so. */
  faults: Fault[];
  /** What has to be in the Authorization header. */
  authorization: string | null;
  close(): Promise<void>;
}

/** For tests: MLflow's tracking server as far as runs need it. Metrics that are sent twice are there twice, as the protocol permits. */
export async function startFakeMlflow(): Promise<FakeMlflow> {
  const experiments: string[] = [];
  const server = createServer((request, response) => void serve(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const fake: FakeMlflow = {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    runs: [],
    artifacts: new Map(),
    requests: [],
    faults: [],
    authorization: null,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', fake.uri);
    const path = url.pathname.replace('/api/2.0/', '');
    let text = '';
    for await (const chunk of request) text += String(chunk);
    fake.requests.push(path);
    const found = fake.faults.findIndex((each) => path.endsWith(each.path));
    const fault = found === -1 ? undefined : fake.faults.splice(found, 1)[0];
    if (fault !== undefined && 'status' in fault) {
      response
        .writeHead(fault.status, fault.headers)
        .end(JSON.stringify({ error_code: 'FAULT', message: 'as the test has it' }));
      return;
    }
    if (fault?.end === 'cut before') return void request.socket.destroy();
    const { status = 200, body } = answer(path, url, text, request.headers.authorization);
    if (fault?.end === 'cut after') return void request.socket.destroy();
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

  const shown = ({ info, metrics, params, tags }: StoredRun) => {
    const latest = new Map<string, Metric>();
    for (const metric of metrics)
      if (metric.step >= (latest.get(metric.key)?.step ?? -1)) latest.set(metric.key, metric);
    const listed = (map: Map<string, string>) => [...map].map(([key, value]) => ({ key, value }));
    return { info, data: { metrics: [...latest.values()], params: listed(params), tags: listed(tags) } };
  };

  const answer = (
    path: string,
    url: URL,
    text: string,
    authorization: string | undefined,
  ): { status?: number; body: unknown } => {
    if (fake.authorization !== null && authorization !== fake.authorization) {
      return { status: 401, body: { message: `unknown: ${authorization}` } };
    }
    if (path.startsWith('mlflow-artifacts/artifacts/')) {
      fake.artifacts.set(path.slice('mlflow-artifacts/artifacts/'.length), text);
      return { body: {} };
    }
    const body = (text === '' ? {} : JSON.parse(text)) as Body;
    const missing = { status: 404, body: { error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'not there' } };
    const run = fake.runs.find(({ info }) => info.run_id === (body.run_id ?? url.searchParams.get('run_id')));
    switch (path.replace('mlflow/', '')) {
      case 'experiments/get-by-name': {
        const at = experiments.indexOf(url.searchParams.get('experiment_name') ?? '');
        return at === -1 ? missing : { body: { experiment: { experiment_id: String(at) } } };
      }
      case 'experiments/create':
        return { body: { experiment_id: String(experiments.push(body.name) - 1) } };
      case 'runs/search': {
        const value = /'(.*)'/.exec(body.filter)?.[1];
        return { body: { runs: fake.runs.filter(({ tags }) => tags.get('tandem.run') === value).map(shown) } };
      }
      case 'runs/create': {
        const id = `r${fake.runs.length}`;
        const { run_name, experiment_id } = body;
        const info = {
          run_id: id,
          run_name,
          experiment_id,
          status: 'RUNNING',
          artifact_uri: `mlflow-artifacts:/${experiment_id}/${id}/artifacts`,
        };
        const tags = new Map((body.tags ?? []).map(({ key, value }) => [key, value]));
        fake.runs.push({ info, metrics: [], params: new Map(), tags });
        return { body: { run: shown(fake.runs.at(-1) as StoredRun) } };
      }
      case 'runs/get':
        return run === undefined ? missing : { body: { run: shown(run) } };
      case 'runs/log-batch': {
        if (run === undefined) return missing;
        const { metrics = [], params = [], tags = [] } = body;
        if (metrics.length > 1000 || params.length > 100 || tags.length > 100 || text.length > 1_000_000) {
          return { status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE', message: 'too much' } };
        }
        if (params.some(({ key, value }) => (run.params.get(key) ?? value) !== value)) {
          return {
            status: 400,
            body: { error_code: 'INVALID_PARAMETER_VALUE', message: 'a parameter is never changed' },
          };
        }
        run.metrics.push(...metrics);
        for (const { key, value } of params) run.params.set(key, value);
        for (const { key, value } of tags) run.tags.set(key, value);
        return { body: {} };
      }
      case 'runs/update':
        if (run === undefined) return missing;
        Object.assign(run.info, { status: body.status, end_time: body.end_time });
        return { body: {} };
      default:
        return { status: 404, body: { error_code: 'ENDPOINT_NOT_FOUND', message: path } };
    }
  };
  return fake;
}
