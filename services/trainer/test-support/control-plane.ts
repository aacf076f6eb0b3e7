import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { AttemptSpec, UploadFile, Want } from '../../contracts/agent-operations.ts';
import { agentOperations, attemptSpecSchema, recordsReplySchema } from '../../contracts/agent-operations.ts';
import { checkpointFileSchema, commitSchema, MANIFEST_SCHEMA, type Manifest } from '../../contracts/checkpoint.ts';
import { recordSchema, type TrainerRecord } from '../../contracts/record.ts';
import type { StoreServer } from '../../platform/testing/store-server.ts';

/** A control plane as one trainer sees it: the agent API over real HTTP, in memory but for the checkpoints' files. */
export interface TestControlPlane {
  readonly url: string;
  readonly token: string;
  readonly records: readonly TrainerRecord[];
  readonly manifests: readonly Manifest[];
  /** Checkpoints are kept below it, `checkpoint-<step>` each. */
  readonly directory: string;
  want: Want;
  deadline: string | null;
  /** Answers every call with this status instead. */
  failWith: number | null;
  /** Hands out URLs of this store instead of a directory. */
  objectStore: StoreServer | null;
  /** Forgets records above it, as a store that lost its newest would. */
  forgetAbove(n: number): void;
  attempt: AttemptSpec;
  onRecord(listener: (record: TrainerRecord) => void): void;
  readonly heartbeats: number;
  close(): Promise<void>;
}

const TOKEN = 'test-token';

export async function startTestControlPlane(params: {
  readonly attempt: AttemptSpec;
  readonly directory: string;
}): Promise<TestControlPlane> {
  const { directory } = params;
  const records: TrainerRecord[] = [];
  const manifests: Manifest[] = [];
  const listeners: ((record: TrainerRecord) => void)[] = [];
  const state = { heartbeats: 0 };

  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const reply = answer(request, Buffer.concat(chunks));
      response.writeHead(reply.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(reply.body));
    });
  });

  function answer(request: http.IncomingMessage, body: Buffer): { status: number; body: unknown } {
    const { pathname } = new URL(request.url ?? '/', 'http://test');
    if (plane.failWith !== null)
      return problem(plane.failWith, plane.failWith === 410 ? 'attempt-closed' : 'unavailable');
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return problem(401, 'unauthorized');
    const prefix = `/agent/attempts/${plane.attempt.run}.a${plane.attempt.attempt}/`;
    if (!pathname.startsWith(prefix)) return problem(404, 'not-found');
    switch (pathname.slice(prefix.length)) {
      case 'spec':
        return { status: 200, body: attemptSpecSchema.parse(plane.attempt) };
      case 'records':
        return ingest(body.toString());
      case 'uploads':
        return upload(agentOperations.postUploads.body.schema.parse(JSON.parse(body.toString())));
      case 'checkpoints':
        return commit(JSON.parse(body.toString()));
      default:
        return problem(404, 'not-found');
    }
  }

  function ingest(ndjson: string) {
    const posted = ndjson
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => recordSchema.parse(JSON.parse(line)));
    if (posted.length === 0) state.heartbeats += 1;
    for (const record of posted) {
      if (record.n <= records.length) continue;
      if (record.n > records.length + 1) return problem(409, 'record-gap');
      records.push(record);
      for (const listener of listeners) listener(record);
    }
    const { want, deadline } = plane;
    const reply = { high: records.length, want, deadline, log_levels: plane.attempt.log_levels };
    return { status: 200, body: recordsReplySchema.parse(reply) };
  }

  function upload({ step, files }: { step: number; files: readonly UploadFile[] }) {
    const name = `checkpoint-${step}`;
    const store = plane.objectStore;
    if (store === null) return { status: 200, body: { directory: path.join(directory, name), parts: null } };
    const plan = (file: UploadFile) => store.plan(`${name}/${file.path}`, checkpointFileSchema.parse(file));
    return {
      status: 200,
      body: { directory: null, parts: Object.fromEntries(files.map((file) => [file.path, plan(file)])) },
    };
  }

  function commit(json: unknown) {
    const posted = commitSchema.parse(json);
    for (const file of posted.files) {
      const name = path.join(`checkpoint-${posted.step}`, file.path);
      const bytes =
        plane.objectStore === null ? readFileSync(path.join(directory, name)) : plane.objectStore.complete(name);
      const sha256 = createHash('sha256')
        .update(bytes ?? '')
        .digest('hex');
      if (bytes?.length !== file.size || sha256 !== file.sha256) return problem(422, 'checkpoint-unusable');
    }
    const manifest: Manifest = {
      schema: MANIFEST_SCHEMA,
      run: plane.attempt.run,
      attempt: plane.attempt.attempt,
      name: `checkpoint-${posted.step}`,
      created_at: new Date().toISOString(),
      ...posted,
    };
    manifests.push(manifest);
    return { status: 200, body: manifest };
  }

  const plane: TestControlPlane = {
    url: '',
    token: TOKEN,
    records,
    manifests,
    directory,
    want: 'run',
    deadline: null,
    failWith: null,
    objectStore: null,
    attempt: params.attempt,
    forgetAbove: (n) => void records.splice(n),
    onRecord: (listener) => void listeners.push(listener),
    get heartbeats() {
      return state.heartbeats;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(plane, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

function problem(status: number, type: string): { status: number; body: unknown } {
  const body = {
    type: `urn:tandem:problem:${type}`,
    title: type,
    status,
    detail: `test says ${type}`,
    instance: 'urn:uuid:0',
  };
  return { status, body };
}
