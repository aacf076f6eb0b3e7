import type { components, paths } from '../../services/api-types/openapi.d.ts';

export type Run = components['schemas']['Run'];
export type Evaluation = components['schemas']['Evaluation'];
export type Checkpoint = components['schemas']['Checkpoint'];
export type LogLine = components['schemas']['LogLine'];

/** The few calls of the public API that the scripts make. Errors carry the problem's own words. */
export function createClient(baseUrl: string) {
  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${baseUrl}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${detailOf(text, response.status)}`);
    return JSON.parse(text) as T;
  }

  return {
    baseUrl,
    submit: (spec: object) => call<Run>('POST', '/runs', spec),
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
    logs: async (id: string, query: string) =>
      (await call<{ lines: LogLine[] }>('GET', `/runs/${id}/logs?${query}`)).lines,
  };
}

export type Client = ReturnType<typeof createClient>;

function detailOf(text: string, status: number): string {
  try {
    return (JSON.parse(text) as { detail?: string }).detail ?? `status ${status}`;
  } catch {
    return `status ${status}`;
  }
}
