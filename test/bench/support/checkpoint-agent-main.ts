import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { CheckpointFile } from '../../../services/contracts/checkpoint.ts';
import { openBenchStore, type S3Access } from './bench-store.ts';

/** Usage: `checkpoint-agent-main.js <JSON of the store>`: what an agent API does for uploads and commits, and nothing else. Prints its URL. */
const store = openBenchStore(JSON.parse(process.argv[2]!) as S3Access);
const uploads = new Map<string, string>();
const keyOf = (step: number, path: string) => `agent/checkpoint-${step}/${path}`;

async function plan({ step, files }: { step: number; files: CheckpointFile[] }) {
  const parts: Record<string, unknown> = {};
  for (const file of files) {
    const key = keyOf(step, file.path);
    const planned = await store.transfers.plan(key, file, uploads.get(key) ?? null);
    if (planned.uploadId !== null) uploads.set(key, planned.uploadId);
    parts[file.path] = planned.parts;
  }
  return { directory: null, parts };
}

async function commit(posted: { step: number; files: CheckpointFile[] }) {
  for (const file of posted.files) {
    const key = keyOf(posted.step, file.path);
    const uploadId = uploads.get(key);
    if (uploadId !== undefined) await store.transfers.complete(key, file, uploadId);
    await store.delete(key);
  }
  const name = `checkpoint-${posted.step}`;
  const created_at = new Date().toISOString();
  return { schema: 'tandem.checkpoint/1', run: 'run-bench000', attempt: 1, name, created_at, ...posted };
}

const server = http.createServer(async (request, response) => {
  const body = JSON.parse(await text(request)) as Parameters<typeof commit>[0];
  const answer = request.url!.endsWith('/uploads') ? await plan(body) : await commit(body);
  response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
