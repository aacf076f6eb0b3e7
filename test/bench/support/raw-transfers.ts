import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Client } from 'minio';
import type { CheckpointFile } from '../../../services/contracts/checkpoint.ts';
import { allInSlots, createSlots } from '../../../services/platform/transfer/slots.ts';
import { type BenchStore, never, type S3Access } from './bench-store.ts';

const CONCURRENCY = 4;
const agent = new http.Agent({ keepAlive: true });

/** The same parts, as many at a time, with nothing hashed, checked or repeated by anybody. */
export async function rawUpload(
  store: BenchStore,
  directory: string,
  files: readonly CheckpointFile[],
  prefix: string,
) {
  const uploads = new Map<string, string>();
  const all = [];
  for (const { path, size, parts } of files) {
    const bare = { size, ...(parts && { parts }) };
    const plan = await store.transfers.plan(prefix + path, bare, null);
    if (plan.uploadId !== null) uploads.set(path, plan.uploadId);
    for (const part of plan.parts) all.push({ file: join(directory, path), part });
  }
  await allInSlots(all, createSlots(CONCURRENCY), never, async ({ file, part: { url, headers, start, end } }) => {
    const request = http.request(url, { method: 'PUT', agent, headers: { ...headers, 'content-length': end - start } });
    const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
      request.on('response', resolve).on('error', reject);
    });
    await pipeline(createReadStream(file, { start, end: end - 1, highWaterMark: 2 ** 18 }), request);
    const response = (await answered).resume();
    if (response.statusCode !== 200) throw new Error(`a raw PUT was answered with ${response.statusCode}`);
  });
  for (const file of files) {
    const uploadId = uploads.get(file.path);
    if (uploadId !== undefined) await store.transfers.complete(prefix + file.path, file, uploadId);
  }
}

export async function rawDownload(store: BenchStore, files: readonly CheckpointFile[], prefix: string, into: string) {
  const all = [];
  for (const { path, size, parts } of files) {
    const url = await store.transfers.link(prefix + path, { seconds: 3600, audience: 'trainer' });
    const handle = await open(join(into, path.replaceAll('/', '-')), 'w');
    const step = parts?.size ?? size;
    for (let start = 0; start < size; start += step)
      all.push({ url, handle, start, end: Math.min(size, start + step) });
  }
  await allInSlots(all, createSlots(CONCURRENCY), never, async ({ url, handle, start, end }) => {
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      http.get(url, { agent, headers: { range: `bytes=${start}-${end - 1}` } }, resolve).on('error', reject);
    });
    let at = start;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      await handle.write(chunk, 0, chunk.length, at);
      at += chunk.length;
    }
  });
  for (const handle of new Set(all.map(({ handle: each }) => each))) await handle.close();
}

/** The client that most programs for Node use, with its own defaults; four files at a time. */
export function minioClient({ endpoint, bucket, accessKey, secretKey, region }: S3Access) {
  const { hostname, port } = new URL(endpoint);
  const client = new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey, region });
  const each = (files: readonly CheckpointFile[], work: (path: string) => Promise<unknown>) =>
    allInSlots(files, createSlots(CONCURRENCY), never, async ({ path }) => void (await work(path)));
  return {
    upload: (directory: string, files: readonly CheckpointFile[], prefix: string) =>
      each(files, (path) => client.fPutObject(bucket, prefix + path, join(directory, path))),
    download: (files: readonly CheckpointFile[], prefix: string, into: string) =>
      each(files, (path) => client.fGetObject(bucket, prefix + path, join(into, path))),
  };
}
