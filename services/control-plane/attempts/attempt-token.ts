import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A new secret for one attempt, known by its looks where it must not be shown. Only its hash is kept; the secret itself lies in the attempt's workspace. */
export function createToken(): string {
  return `tandem_at_${randomBytes(32).toString('base64url')}`;
}

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Whether the token is the one with that hash, in a time that does not depend on where they differ. */
export function isTokenOf(token: string, hash: string): boolean {
  return timingSafeEqual(Buffer.from(hashToken(token)), Buffer.from(hash));
}
