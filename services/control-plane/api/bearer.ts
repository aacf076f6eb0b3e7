import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** The token of `Authorization: Bearer <token>`; undefined where the header is absent, repeated or of another scheme. */
export function bearerToken(request: IncomingMessage): string | undefined {
  const values = request.headersDistinct['authorization'];
  if (values?.length !== 1) return undefined;
  return /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(values[0] ?? '')?.[1];
}

/** The password of `Authorization: Basic`, which a browser asks a person for; undefined where the header is absent, repeated or of another scheme. */
export function basicPassword(request: IncomingMessage): string | undefined {
  const values = request.headersDistinct['authorization'];
  if (values?.length !== 1) return undefined;
  const encoded = /^Basic ([A-Za-z0-9+/]{1,8192}={0,2})$/i.exec(values[0] ?? '')?.[1];
  return encoded === undefined ? undefined : /^[^:]*:(.+)$/s.exec(Buffer.from(encoded, 'base64').toString('utf8'))?.[1];
}

/** Compares in a time that says nothing about where, or whether in length, two secrets differ. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}
