import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { AgentError } from './agent-client.ts';

const IDLE_MS = 60_000;

/**
 * Sends a file to a presigned URL. Its length is said beforehand, which object stores insist on.
 * @throws AgentError `unreachable` for what may pass, `refused` for another answer.
 */
export async function putFile(file: string, url: string, signal: AbortSignal): Promise<void> {
  const { size } = await stat(file);
  const request = open(url, { method: 'PUT', headers: { 'content-length': size }, signal });
  const response = answer(request);
  // Both are awaited: a server that refuses early breaks the pipe, and its answer says why.
  const [sent, answered] = await Promise.allSettled([pipeline(createReadStream(file), request), response]);
  signal.throwIfAborted();
  if (answered.status === 'fulfilled') {
    answered.value.resume();
    return requireSuccess(answered.value, url);
  }
  throw unreachable(url, sent.status === 'rejected' ? sent.reason : answered.reason);
}

/**
 * Fetches a presigned URL into a file.
 * @throws AgentError `unreachable` for what may pass, `refused` for another answer.
 */
export async function getFile(url: string, file: string, signal: AbortSignal): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const request = open(url, { method: 'GET', signal });
  request.end();
  try {
    const response = await answer(request);
    requireSuccess(response, url);
    await pipeline(response, createWriteStream(file));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AgentError || isDiskError(error)) throw error;
    throw unreachable(url, error);
  }
}

function open(url: string, options: http.RequestOptions): http.ClientRequest {
  const parsed = new URL(url);
  const request = (parsed.protocol === 'https:' ? https : http).request(parsed, options);
  request.setTimeout(IDLE_MS, () => request.destroy(new Error(`nothing moved for ${IDLE_MS / 1000} s`)));
  return request;
}

function answer(request: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
  });
}

function requireSuccess({ statusCode = 0 }: http.IncomingMessage, url: string): void {
  if (statusCode >= 200 && statusCode < 300) return;
  const passes = statusCode >= 500 || statusCode === 429;
  throw new AgentError(passes ? 'unreachable' : 'refused', `${place(url)} answered ${statusCode}`, statusCode);
}

function unreachable(url: string, cause: unknown): AgentError {
  return new AgentError('unreachable', `${place(url)} cannot be reached`, undefined, { cause });
}

/** The query of a presigned URL is a key. */
function place(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

function isDiskError(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EACCES';
}
