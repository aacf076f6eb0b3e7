import { basename, extname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { CheckpointFile } from '../../contracts/checkpoint.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { breakOffStalled, STALL_MS } from './break-off-stalled.ts';
import { parseByteRange } from './byte-range.ts';
import type { Exchange } from './handlers.ts';
import { ProblemError } from './problem-error.ts';

/** How long a link to the object store works. */
const LINK_SECONDS = 3600;

const contentTypes: Readonly<Record<string, string>> = {
  '.json': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
};

export interface SendFileOptions {
  store: Pick<ObjectStore, 'head' | 'read' | 'transfers'>;
  key: string;
  file: CheckpointFile;
  /** Whether a link to the store may be answered in place of the bytes. */
  redirect: boolean;
  stallMs?: number;
}

/** Answers a file of a checkpoint: bytes, a range of them, only that they are the same, or where they are. Throws checkpoint-unusable, range-not-satisfiable. */
export async function sendFile(
  { request, response, signal }: Exchange,
  { store, key, file, redirect, stallMs = STALL_MS }: SendFileOptions,
): Promise<void> {
  const etag = `"${file.sha256}"`;
  if (holds(request.headers['if-none-match'], etag)) {
    sayWhichBytes(response, etag);
    response.status(304).end();
    return;
  }
  const stored = await store.head(key);
  if (stored?.size !== file.size) {
    throw new ProblemError(
      'checkpoint-unusable',
      `${file.path} is ${stored === null ? 'missing from' : 'damaged in'} the object store; use an older checkpoint.`,
    );
  }
  // A presigned link is for one method, so HEAD is answered here.
  if (redirect && request.method === 'GET') {
    const link = await store.transfers?.link(key, {
      seconds: LINK_SECONDS,
      audience: 'public',
      filename: basename(file.path),
    });
    if (link != null) {
      response.status(307).setHeader('Location', link).end();
      return;
    }
  }
  sayWhichBytes(response, etag);
  const ifRange = request.headers['if-range'];
  const range = ifRange === undefined || ifRange === etag ? parseByteRange(request.headers.range, file.size) : null;
  if (range === 'unsatisfiable') {
    response.setHeader('Content-Range', `bytes */${file.size}`);
    const most = file.size === 0 ? 'none' : `bytes=0-${file.size - 1}`;
    throw new ProblemError('range-not-satisfiable', `The file has ${file.size} bytes; ask for a range within ${most}.`);
  }
  response.setHeader('Content-Type', contentTypes[extname(file.path)] ?? 'application/octet-stream');
  response.setHeader('Content-Disposition', `attachment; filename="${basename(file.path)}"`);
  response.setHeader('Content-Length', range === null ? file.size : range.end - range.start + 1);
  if (range !== null) response.status(206).setHeader('Content-Range', `bytes ${range.start}-${range.end}/${file.size}`);
  if (request.method === 'HEAD' || file.size === 0) {
    response.end();
    return;
  }
  breakOffStalled(response, stallMs);
  try {
    await pipeline(store.read(key, range ?? undefined), response, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function sayWhichBytes(response: Exchange['response'], etag: string): void {
  response.setHeader('ETag', etag);
  // A name such as `latest` may mean other bytes tomorrow: kept copies are asked about each time.
  response.setHeader('Cache-Control', 'private, no-cache');
  response.setHeader('Accept-Ranges', 'bytes');
}

/** Whether an If-None-Match header names the tag (RFC 9110, 13.1.2: weak comparison). */
function holds(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
}
