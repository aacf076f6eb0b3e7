import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { type Filters, Refusal } from './state.ts';

export interface DockerRequest {
  method: string;
  /** Without the version prefix and the query. */
  path: string;
  query: URLSearchParams;
  body: Readable;
}

export interface Reply {
  status: number;
  headers?: Record<string, string>;
  /** Sent as JSON, with its length. */
  json?: unknown;
  /** Sent in chunks, the headers at once; `gone` when the client has left or the daemon ends. */
  stream?: (write: (chunk: Buffer) => void, gone: AbortSignal) => Promise<void>;
}

export const noContent: Reply = { status: 204 };
export const notModified: Reply = { status: 304 };

/** @throws Refusal for a version that is newer than the fake's */
export function readRequest(request: IncomingMessage): DockerRequest {
  const url = new URL(request.url ?? '/', 'http://docker');
  const [, version, path = '/'] = /^(?:\/v(\d+\.\d+))?(\/.*)$/.exec(url.pathname) ?? [];
  if (version !== undefined && Number(version.split('.')[1]) > 41) {
    throw new Refusal(400, `client version ${version} is too new. Maximum supported API version is 1.41`);
  }
  return { method: request.method ?? 'GET', path, query: url.searchParams, body: request };
}

export async function readJson<T>(request: DockerRequest): Promise<T> {
  const chunks: Buffer[] = [];
  for await (const chunk of request.body) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return JSON.parse(text === '' ? '{}' : text) as T;
}

export function readFilters(query: URLSearchParams): Filters {
  const given = JSON.parse(query.get('filters') ?? '{}') as Record<string, string[] | Record<string, boolean>>;
  // Older clients send {"label": {"a=b": true}}.
  return Object.fromEntries(
    Object.entries(given).map(([key, value]) => [key, Array.isArray(value) ? value : Object.keys(value)]),
  );
}

export const isTrue = (value: string | null): boolean => value === '1' || value?.toLowerCase() === 'true';
