import type { components, paths } from '../../services/api-types/openapi.d.ts';

export type Run = components['schemas']['Run'];
export type Evaluation = components['schemas']['Evaluation'];
export type Checkpoint = components['schemas']['Checkpoint'];
export type CheckpointExport = components['schemas']['CheckpointExport'];
export type TrackerStatus = components['schemas']['TrackerStatus'];
export type LogLine = components['schemas']['LogLine'];

export type DryRun = components['schemas']['DryRun'];

/** The control plane refused a call; the message is its own words. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/**
 * The few calls of the public API that the scripts make, with a token where the control plane asks for one.
 * @throws RefusedError, or what fetch throws when nobody answers
 */
export function createClient(baseUrl: string, apiKey: string | null = null) {
  const authorization: Record<string, string> = apiKey === null ? {} : { authorization: `Bearer ${apiKey}` };

  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    return JSON.parse(await send(method, path, body)) as T;
  }

  async function send(method: string, path: string, body?: unknown): Promise<string> {
    const response = await fetch(`${baseUrl}${path}`, {
      method,
      headers: { ...authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) {
      throw new RefusedError(`${method} ${path}: ${detailOf(text, response.status)}`, response.status);
    }
    return text;
  }

  return {
    baseUrl,
    submit: (spec: object) => call<Run>('POST', '/runs', spec),
    plan: (spec: object) => call<DryRun>('POST', '/runs?dry_run=true', spec),
    evaluate: (request: object) => call<Run>('POST', '/evaluations', request),
    planEvaluation: (request: object) => call<DryRun>('POST', '/evaluations?dry_run=true', request),
    pause: (id: string) => call<Run>('POST', `/runs/${id}/pause`),
    /** The newest runs, of one method. */
    newest: async (method: string) => (await call<{ runs: Run[] }>('GET', `/runs?limit=100&method=${method}`)).runs,
    /** An endless answer of server-sent events, after the one with the id `last`. */
    stream: (path: string, { last, signal }: { last: string | null; signal: AbortSignal }) =>
      fetch(`${baseUrl}${path}`, {
        signal,
        headers: { ...authorization, accept: 'text/event-stream', ...(last === null ? {} : { 'last-event-id': last }) },
      }),
    run: (id: string) => call<Run>('GET', `/runs/${id}`),
    resume: (id: string, from: string) => call<Run>('POST', `/runs/${id}/resume`, { from }),
    cancel: (id: string) => call<Run>('POST', `/runs/${id}/cancel`),
    activeRuns: async () => {
      const { runs } = await call<paths['/runs']['get']['responses'][200]['content']['application/json']>(
        'GET',
        '/runs?limit=1000',
      );
      return runs.filter((run) => ['queued', 'starting', 'running', 'stopping'].includes(run.status));
    },
    evaluations: async (id: string) =>
      (await call<{ evaluations: Evaluation[] }>('GET', `/runs/${id}/evals`)).evaluations,
    checkpoints: async (id: string) =>
      (await call<{ checkpoints: Checkpoint[] }>('GET', `/runs/${id}/checkpoints`)).checkpoints,
    /** How a checkpoint is served from `directory`. */
    exported: (id: string, name: string, directory: string) =>
      call<CheckpointExport>(
        'GET',
        `/runs/${id}/checkpoints/${encodeURIComponent(name)}/export?directory=${encodeURIComponent(directory)}`,
      ),
    /** A document as it was answered. */
    text: (path: string) => send('GET', path),
    /** What lies at a path of the API, as it is. */
    bytes: (path: string) => fetch(`${baseUrl}${path}`, { headers: authorization }),
    trackers: async (id: string) => (await call<{ trackers: TrackerStatus[] }>('GET', `/runs/${id}/trackers`)).trackers,
    /** The metrics that were recorded at a step, by name. */
    valuesAt: async (id: string, step: number) => {
      const { series } = await call<{ series: { name: string; values: (number | string)[] }[] }>(
        'GET',
        `/runs/${id}/metrics?from_step=${step}&to_step=${step}`,
      );
      return Object.fromEntries(series.map(({ name, values }) => [name, values.at(-1) ?? Number.NaN]));
    },
    logs: async (id: string, query: string) =>
      (await call<{ lines: LogLine[] }>('GET', `/runs/${id}/logs?${query}`)).lines,
  };
}

export type Client = ReturnType<typeof createClient>;

/** The problem in its own words; where it lists several issues, all of them. */
function detailOf(text: string, status: number): string {
  try {
    const { detail, issues = [] } = JSON.parse(text) as {
      detail?: string;
      issues?: { path: string; message: string }[];
    };
    if (issues.length > 1) return issues.map(({ path, message }) => `\n  ${path}: ${message}`).join('');
    return detail ?? `status ${status}`;
  } catch {
    return `status ${status}`;
  }
}
