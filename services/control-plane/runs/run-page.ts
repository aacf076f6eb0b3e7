import { ProblemError } from '../api/problem-error.ts';

/** The place in a list of runs, newest first, after which the next page begins. */
export interface PageStart {
  created_at: number;
  id: string;
}

export function encodeCursor({ created_at, id }: PageStart): string {
  return Buffer.from(`${created_at}:${id}`).toString('base64url');
}

/** Throws invalid-request for a text that `encodeCursor` did not make. */
export function decodeCursor(cursor: string): PageStart {
  const match = /^(\d{1,15}):(run-[a-z0-9]{8})$/.exec(Buffer.from(cursor, 'base64url').toString('utf8'));
  if (match === null) {
    throw new ProblemError(
      'invalid-request',
      'query.cursor: is not `next` of a page of runs; leave it out to begin anew.',
    );
  }
  return { created_at: Number(match[1]), id: match[2] as string };
}

/** `key=value` of a label filter. Throws invalid-request. */
export function parseLabel(text: string): { key: string; value: string } {
  const at = text.indexOf('=');
  if (at < 1) throw new ProblemError('invalid-request', 'query.label: is written as key=value, such as team=agents.');
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}
