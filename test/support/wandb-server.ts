import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** What the server holds of one W&B run; files are lists of lines, as the protocol addresses them by line. */
export interface HeldRun {
  entity: string;
  project: string;
  id: string;
  displayName: string | null;
  group: string | null;
  jobType: string | null;
  notes: string | null;
  tags: string[];
  config: Record<string, { value: unknown }>;
  files: Record<string, string[]>;
  state: 'running' | 'finished' | 'failed';
  exitcode: number | null;
  /** Somebody has pressed stop in the page of the run. */
  stopped: boolean;
}

export interface HeldRequest {
  method: string;
  path: string;
  /** Name of the GraphQL operation, or `file_stream`. */
  operation: string;
  headers: Record<string, string>;
  body: unknown;
}

/** What is done to a request instead of answering it; null: it is answered. */
export type Trouble =
  | { kind: 'status'; status: number; retryAfter?: string; body?: string }
  /** Never answered. */
  | { kind: 'hang' }
  | { kind: 'slow'; ms: number }
  /** The connection is cut, before the request is taken or after it. */
  | { kind: 'cut'; taken: boolean };

export interface WandbServer {
  url: string;
  apiKey: string;
  runs: Map<string, HeldRun>;
  requests: HeldRequest[];
  /** Asked for each request. */
  trouble: (request: HeldRequest) => Trouble | null;
  /** The rows of `wandb-history.jsonl`. */
  history(id: string): Record<string, unknown>[];
  summary(id: string): Record<string, unknown>;
  close(): Promise<void>;
}

const ENTITY = 'tester';

/**
 * A W&B server as far as runs need one: GraphQL and file_stream, with lines that are overwritten by their offset, as wandb core 0.31 and the hosted
 * service have them. It is what the real SDK was run against (test/golden/wandb).
 */
export async function startWandbServer({ apiKey = 'k'.repeat(40) } = {}): Promise<WandbServer> {
  const runs = new Map<string, HeldRun>();
  const held: WandbServer = {
    url: '',
    apiKey,
    runs,
    requests: [],
    trouble: () => null,
    history: (id) => linesOf(id, 'wandb-history.jsonl').map(parseLine),
    summary: (id) => parseLine(linesOf(id, 'wandb-summary.json').at(-1) ?? '{}'),
    close: () => end(server),
  };
  const linesOf = (id: string, name: string) => [...runs.values()].find((run) => run.id === id)?.files[name] ?? [];

  const server = createServer((request, response) => {
    void answer(request, response).catch(() => request.socket.destroy());
  });
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const text = await bodyOf(request);
    const path = request.url ?? '';
    const isOther = !path.endsWith('/graphql') && !path.endsWith('/file_stream');
    // Uploads of whole files, and what the SDK measures of itself: taken and not looked at.
    if (isOther) return void response.writeHead(200).end('{}');
    const body: unknown = JSON.parse(text);
    const seen: HeldRequest = {
      method: request.method ?? '',
      path,
      operation: path.endsWith('/file_stream') ? 'file_stream' : operationOf(body),
      headers: request.headers as Record<string, string>,
      body,
    };
    held.requests.push(seen);
    const trouble = held.trouble(seen);
    if (trouble?.kind === 'hang') return;
    if (trouble?.kind === 'cut' && !trouble.taken) return void request.socket.destroy();
    if (trouble?.kind === 'status') {
      const retry = trouble.retryAfter === undefined ? {} : { 'retry-after': trouble.retryAfter };
      return void response.writeHead(trouble.status, retry).end(trouble.body ?? '{"error":"made to fail"}');
    }
    if (trouble?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, trouble.ms));
    const expected = `Basic ${Buffer.from(`api:${apiKey}`).toString('base64')}`;
    if (request.headers.authorization !== expected) {
      return void response.writeHead(401).end('{"error":"user is not logged in"}');
    }
    const [status, reply] = path.endsWith('/file_stream') ? takeLines(runs, seen) : graphql(runs, seen, held.url);
    if (trouble?.kind === 'cut') return void request.socket.destroy();
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(reply));
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  held.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return held;
}

/** As Python reads it: NaN and infinities stand bare. They are given as words. */
export function parseLine(line: string): Record<string, unknown> {
  return JSON.parse(line.replace(/(?<=[:[,]\s*)(NaN|-?Infinity)(?=\s*[,}\]])/g, '"$1"')) as Record<string, unknown>;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  return (request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString('utf8');
}

function operationOf(body: unknown): string {
  const { query = '', operationName } = (body ?? {}) as { query?: string; operationName?: string };
  return operationName ?? /^\s*(?:query|mutation)\s+(\w+)/.exec(query)?.[1] ?? '';
}

type Reply = [status: number, body: unknown];

/** `POST /files/<entity>/<project>/<run>/file_stream`: lines are put at their offset, whatever is there. */
function takeLines(runs: Map<string, HeldRun>, { path, body }: HeldRequest): Reply {
  const [, entity = '', project = '', id = ''] = /^\/files\/([^/]+)\/([^/]+)\/([^/]+)\/file_stream$/.exec(path) ?? [];
  const run = runs.get(keyOf(decodeURIComponent(entity), decodeURIComponent(project), decodeURIComponent(id)));
  if (run === undefined) return [404, { error: `run ${id} not found` }];
  const {
    files = {},
    complete,
    exitcode,
  } = body as {
    files?: Record<string, { offset: number; content: string[] }>;
    complete?: boolean;
    exitcode?: number;
  };
  for (const [name, { offset, content }] of Object.entries(files)) {
    const lines = run.files[name] ?? [];
    run.files[name] = lines;
    // The service pads with nothing: a gap is a fault of the sender.
    if (offset > lines.length) return [400, { error: `${name}: offset ${offset} leaves a gap after ${lines.length}` }];
    if (name === 'wandb-summary.json') run.files[name] = [...content];
    else lines.splice(offset, content.length, ...content);
  }
  run.state = 'running';
  if (complete === true) {
    run.exitcode = exitcode ?? 0;
    run.state = run.exitcode === 0 ? 'finished' : 'failed';
  }
  return [200, { exitcode: null, limits: {}, stopped: run.stopped }];
}

function graphql(runs: Map<string, HeldRun>, { operation, body }: HeldRequest, url: string): Reply {
  const variables = ((body as { variables?: Record<string, unknown> } | null)?.variables ?? {}) as Record<
    string,
    unknown
  >;
  switch (operation) {
    case 'UpsertBucket':
      return [200, { data: { upsertBucket: upsert(runs, variables) } }];
    case 'RunResumeStatus':
      return [
        200,
        {
          data: {
            model: {
              id: 'project',
              name: variables['project'],
              entity: { id: ENTITY, name: ENTITY },
              bucket: resumeStatus(runs, variables),
            },
          },
        },
      ];
    case 'CreateRunFiles':
      return [200, { data: { createRunFiles: runFiles(variables, url) } }];
    default:
      return [
        200,
        {
          data: {
            viewer: { id: 'viewer', entity: ENTITY, username: ENTITY, flags: '{}', teams: { edges: [] } },
            serverInfo: { cliVersionInfo: {}, frontendHost: url },
          },
        },
      ];
  }
}

function runFiles(variables: Record<string, unknown>, url: string) {
  const { run, files } = variables as { run: string; files: string[] };
  const toUpload = (name: string) => ({ name, uploadUrl: `${url}/storage/${run}/${name}` });
  return { runID: run, uploadHeaders: [], files: files.map(toUpload) };
}

function keyOf(entity: string, project: string, id: string): string {
  return `${entity}/${project}/${id}`;
}

function upsert(runs: Map<string, HeldRun>, variables: Record<string, unknown>) {
  const text = (name: string) => (variables[name] ?? null) as string | null;
  const entity = text('entity') ?? ENTITY;
  const project = text('project') ?? 'uncategorized';
  const id = text('name') ?? '';
  const key = keyOf(entity, project, id);
  const known = runs.get(key);
  const run: HeldRun = known ?? {
    ...{
      entity,
      project,
      id,
      displayName: id,
      group: null,
      jobType: null,
      notes: null,
      tags: [],
      config: {},
      files: {},
    },
    ...{ state: 'running', exitcode: null, stopped: false },
  };
  runs.set(key, run);
  run.displayName = text('displayName') ?? run.displayName;
  run.group = text('groupName') ?? run.group;
  run.jobType = text('jobType') ?? run.jobType;
  run.notes = text('notes') ?? run.notes;
  run.tags = (variables['tags'] as string[] | undefined) ?? run.tags;
  if (text('config') !== null) run.config = JSON.parse(text('config') ?? '{}');
  if (known !== undefined) run.state = 'running';
  return {
    bucket: {
      ...{ id: Buffer.from(key).toString('base64'), name: id, displayName: run.displayName, description: null },
      ...{ config: JSON.stringify(run.config), sweepName: null },
      project: { id: 'project', name: project, entity: { id: entity, name: entity } },
      historyLineCount: run.files['wandb-history.jsonl']?.length ?? 0,
    },
    inserted: known === undefined,
  };
}

function resumeStatus(runs: Map<string, HeldRun>, variables: Record<string, unknown>) {
  const run = runs.get(
    keyOf(String(variables['entity'] ?? ENTITY), String(variables['project']), String(variables['name'])),
  );
  if (run === undefined) return null;
  const lines = (name: string) => run.files[name] ?? [];
  const t = (run.config['_wandb']?.value as Record<string, unknown> | undefined)?.['t'];
  return {
    ...{ id: run.id, name: run.id, displayName: run.displayName, state: run.state, tags: run.tags },
    ...{ historyLineCount: lines('wandb-history.jsonl').length, eventsLineCount: lines('wandb-events.jsonl').length },
    ...{ logLineCount: lines('output.log').length },
    historyTail: JSON.stringify(lines('wandb-history.jsonl').slice(-1)),
    eventsTail: JSON.stringify(lines('wandb-events.jsonl').slice(-1)),
    summaryMetrics: lines('wandb-summary.json').at(-1) ?? '{}',
    config: JSON.stringify(run.config),
    wandbConfig: t === undefined ? null : JSON.stringify({ t }),
  };
}

async function end(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
