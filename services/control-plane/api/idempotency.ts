import { createHash } from 'node:crypto';
import type { Database } from '../../platform/database.ts';
import type { Reply } from './handlers.ts';
import { ProblemError } from './problem-error.ts';

const DAY_MS = 24 * 3600 * 1000;

export interface Idempotency {
  /**
   * Does `work` once per key and answers every repetition within 24 hours with the reply of the first. Only replies with a 2xx status are kept:
   * a request that was refused did nothing, so it may be corrected and sent again under the same key. Simultaneous duplicates wait for the first.
   * @throws ProblemError idempotency-mismatch when the key belongs to another request.
   */
  once(
    request: { key: string; fingerprint: string },
    work: (remember: (reply: Reply) => void) => Promise<Reply>,
  ): Promise<{ reply: Reply; replayed: boolean }>;
}

interface KeptRow {
  fingerprint: string;
  status: number;
  body: string | null;
}

/** What makes two requests the same: method, path with query, and the bytes of the body. */
export function fingerprintOf(request: { method: string; originalUrl: string }, body: Uint8Array): string {
  return createHash('sha256').update(`${request.method} ${request.originalUrl}\n`).update(body).digest('hex');
}

export function createIdempotency({ db, now }: { db: Database; now: () => number }): Idempotency {
  const inFlight = new Map<string, Promise<unknown>>();

  const kept = (key: string): KeptRow | undefined =>
    db.get<KeptRow>(
      'SELECT fingerprint, status, body FROM idempotency_keys WHERE key = :key AND created_at > :oldest',
      { key, oldest: now() - DAY_MS },
    );

  const keep = (key: string, fingerprint: string, reply: Reply): void => {
    db.transaction(() => {
      db.run('DELETE FROM idempotency_keys WHERE created_at <= :oldest', { oldest: now() - DAY_MS });
      db.run(
        `INSERT INTO idempotency_keys (key, fingerprint, status, body, created_at)
         VALUES (:key, :fingerprint, :status, :body, :created_at) ON CONFLICT (key) DO NOTHING`,
        {
          key,
          fingerprint,
          status: reply.status,
          body: reply.body === undefined ? null : JSON.stringify(reply.body),
          created_at: now(),
        },
      );
    });
  };

  const doOnce = async (
    key: string,
    fingerprint: string,
    work: (remember: (reply: Reply) => void) => Promise<Reply>,
  ) => {
    const reply = await work((early) => keep(key, fingerprint, early));
    if (reply.status >= 200 && reply.status < 300) keep(key, fingerprint, reply);
    return reply;
  };

  return {
    once: async ({ key, fingerprint }, work) => {
      for (let first = inFlight.get(key); first !== undefined; first = inFlight.get(key)) {
        // How the first one ended is read from the table, not from here.
        await first.catch(() => undefined);
      }
      const before = kept(key);
      if (before !== undefined) return { reply: replay(before, key, fingerprint), replayed: true };
      const doing = doOnce(key, fingerprint, work);
      inFlight.set(key, doing);
      try {
        return { reply: await doing, replayed: false };
      } finally {
        inFlight.delete(key);
      }
    },
  };
}

function replay(row: KeptRow, key: string, fingerprint: string): Reply {
  if (row.fingerprint !== fingerprint) {
    throw new ProblemError(
      'idempotency-mismatch',
      `The Idempotency-Key ${key} was used for another request within 24 hours; use a new key.`,
    );
  }
  return row.body === null ? { status: row.status } : { status: row.status, body: JSON.parse(row.body) as unknown };
}
