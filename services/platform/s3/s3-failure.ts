import type { IncomingMessage } from 'node:http';
import { textOf } from './xml.ts';

/** An answer of the store that is an error. Its message holds no key and no signature: servers quote them in elements that are not read. */
export class S3Failure extends Error {
  readonly status: number;
  /** As the server names it, for example `NoSuchKey`; by the status where it names nothing, as for HEAD. */
  readonly code: string;
  /** Tries of the same request that failed before this one: with any, the request may have been carried out already. */
  earlierFailures = 0;
  constructor(status: number, code: string, message: string) {
    super(`${status} ${code}: ${message}`);
    this.name = 'S3Failure';
    this.status = status;
    this.code = code;
  }
}

const codeOfStatus: Readonly<Record<number, string>> = {
  301: 'PermanentRedirect',
  403: 'AccessDenied',
  404: 'NotFound',
  412: 'PreconditionFailed',
  416: 'InvalidRange',
  503: 'SlowDown',
  507: 'XMinioStorageFull',
};

/** Longest error document that is read; S3's have a few hundred bytes, a proxy's page is of no use beyond that. */
const MAX_ERROR_BYTES = 64 * 1024;

/** Reads an error answer to its end, so that its connection can be used again. */
export async function readFailure(response: IncomingMessage): Promise<S3Failure> {
  let body = '';
  response.setEncoding('utf8');
  for await (const chunk of response) if (body.length < MAX_ERROR_BYTES) body += String(chunk);
  return failureFrom(response.statusCode ?? 0, body, response.headers['x-minio-error-code']);
}

/** The failure that an error document describes. */
export function failureFrom(status: number, body: string, header?: string | string[]): S3Failure {
  const named = textOf(body, 'Code') ?? (typeof header === 'string' ? header : undefined);
  const code = named && /^\w+$/.test(named) ? named : (codeOfStatus[status] ?? `Http${status}`);
  const message = textOf(body, 'Message')?.slice(0, 300) || 'the server says no more';
  return new S3Failure(status, code, message);
}

const TRANSIENT_STATUS = new Set([408, 425, 429, 499, 500, 502, 503, 504, 520]);
const TRANSIENT_CODES = new Set([
  // Answers.
  'ConditionalRequestConflict',
  'OperationAborted',
  'RequestTimeout',
  'SlowDown',
  // The network's.
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/** Whether the same request may go well a moment later. A disk that is full, wrong keys, a clock that is off or an absent object do not pass by themselves. */
export function isTransient(error: unknown): boolean {
  if (error instanceof S3Failure && TRANSIENT_STATUS.has(error.status)) return true;
  return TRANSIENT_CODES.has(codeOf(error) ?? '');
}

export function hasCode(error: unknown, ...codes: string[]): error is S3Failure {
  return error instanceof S3Failure && codes.includes(error.code);
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
