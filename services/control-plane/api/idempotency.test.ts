import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Operations } from '../../contracts/operations.ts';
import { runSchema } from '../../contracts/run.ts';
import { type Database, openDatabase } from '../../platform/database.ts';
import type { Handlers } from './handlers.ts';
import { idempotencyTables } from './idempotency.tables.ts';
import { createIdempotency, type Idempotency } from './idempotency.ts';
import { ProblemError } from './problem-error.ts';
import { problemOf, servePublic } from './testing.ts';

let directory: string;
let db: Database;
let time: number;
let idempotency: Idempotency;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-idempotency-'));
  db = openDatabase({ path: join(directory, 'test.db'), migrations: [idempotencyTables] });
  time = Date.parse('2026-11-20T09:00:00Z');
  idempotency = createIdempotency({ db, now: () => time });
});
afterEach(() => {
  db.close();
  rmSync(directory, { recursive: true });
});

/** A deed that counts how often it is done. */
function counter(status = 201) {
  let done = 0;
  const work = async () => ({ status, body: { number: ++done } });
  return { work, count: () => done };
}
const request = (fingerprint = 'a') => ({ key: 'k', fingerprint });

describe('a key', () => {
  test('repeats the first answer without doing the deed again', async () => {
    const { work, count } = counter();
    const first = await idempotency.once(request(), work);
    const again = await idempotency.once(request(), work);
    expect(first).toEqual({ reply: { status: 201, body: { number: 1 } }, replayed: false });
    expect(again).toEqual({ reply: { status: 201, body: { number: 1 } }, replayed: true });
    expect(count()).toBe(1);
  });

  test('is remembered across a restart', async () => {
    const { work } = counter();
    await idempotency.once(request(), work);
    const restarted = createIdempotency({ db, now: () => time });
    expect((await restarted.once(request(), work)).replayed).toBe(true);
  });

  test('is forgotten after 24 hours', async () => {
    const { work, count } = counter();
    await idempotency.once(request(), work);
    time += 24 * 3600 * 1000 - 1;
    expect((await idempotency.once(request(), work)).replayed).toBe(true);
    time += 1;
    expect((await idempotency.once(request(), work)).replayed).toBe(false);
    expect(count()).toBe(2);
    expect(db.all('SELECT key FROM idempotency_keys')).toHaveLength(1);
  });

  test('of another request is refused', async () => {
    const { work, count } = counter();
    await idempotency.once(request('a'), work);
    await expect(idempotency.once(request('b'), work)).rejects.toMatchObject({ type: 'idempotency-mismatch' });
    expect(count()).toBe(1);
  });

  test('of a refused request may be used again for the corrected one', async () => {
    const { work, count } = counter();
    const refuse = async () => {
      throw new ProblemError('invalid-spec', 'no');
    };
    await expect(idempotency.once(request('a'), refuse)).rejects.toMatchObject({ type: 'invalid-spec' });
    expect((await idempotency.once(request('b'), work)).reply.status).toBe(201);
    expect(count()).toBe(1);
  });
});

describe('simultaneous duplicates', () => {
  test('wait for the first and share its answer', async () => {
    const { work, count } = counter();
    const answers = await Promise.all(Array.from({ length: 20 }, () => idempotency.once(request(), work)));
    expect(count()).toBe(1);
    expect(answers.map(({ reply }) => reply)).toEqual(Array(20).fill({ status: 201, body: { number: 1 } }));
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
  });

  test('one of them does the deed when the first fails', async () => {
    const { work, count } = counter();
    let attempts = 0;
    const flaky = async () => {
      attempts += 1;
      if (attempts === 1) throw new Error('the first fails');
      return work();
    };
    const answers = await Promise.allSettled(Array.from({ length: 5 }, () => idempotency.once(request(), flaky)));
    expect(answers.map(({ status }) => status)).toEqual(['rejected', ...Array(4).fill('fulfilled')]);
    expect(count()).toBe(1);
  });
});

describe('a crash', () => {
  test('between the deed and the answer repeats nothing, when the deed remembers its answer in its own transaction', async () => {
    const reply = { status: 201, body: { number: 1 } };
    const crashing = idempotency.once(request(), async (remember) => {
      db.transaction(() => remember(reply));
      throw new Error('killed here');
    });
    await expect(crashing).rejects.toThrow('killed here');
    const restarted = createIdempotency({ db, now: () => time });
    expect(await restarted.once(request(), counter().work)).toEqual({ reply, replayed: true });
  });

  test('inside that transaction leaves neither deed nor answer', async () => {
    const crashing = idempotency.once(request(), async (remember) =>
      db.transaction(() => {
        remember({ status: 201 });
        throw new Error('killed here');
      }),
    );
    await expect(crashing).rejects.toThrow('killed here');
    expect((await idempotency.once(request(), counter().work)).replayed).toBe(false);
  });
});

describe('over HTTP', () => {
  const seen: unknown[] = [];
  const createRun: Handlers<Operations>['createRun'] = async ({ body }) => {
    seen.push(body);
    const spec = { model: { name: `model-${seen.length}` } };
    const run = {
      id: 'run-7k3m9q2d',
      name: null,
      method: 'grpo',
      task: 'train',
      status: 'queued',
      reason: 'submitted',
      message: 'Waiting.',
      labels: {},
      priority: 50,
      created_at: '2026-11-20T09:00:00.000Z',
      started_at: null,
      ended_at: null,
      parent: null,
      output_dir: 'outputs/run-7k3m9q2d',
      progress: null,
      waiting: null,
      latest_evaluation: null,
      warnings: [],
      attempts: [],
      restarts: { after_failures: 0, after_errors: 0, attempt: null, reason: null, message: null, next_at: null },
      model_origin: null,
      spec,
    };
    return { status: 201, body: runSchema.parse(run) };
  };
  const submit = (url: string, key: string, body: string) =>
    fetch(`${url}/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/yaml', 'idempotency-key': key },
      body,
    });

  test('a repeated submission answers the same bytes and says so; another body under the key is a problem', async () => {
    const server = await servePublic({ createRun }, { idempotency });
    const first = await submit(server.url, 'submit-1', 'model: {name: a}');
    const again = await submit(server.url, 'submit-1', 'model: {name: a}');
    expect([first.status, again.status]).toEqual([201, 201]);
    expect([first.headers.get('idempotency-replayed'), again.headers.get('idempotency-replayed')]).toEqual([
      null,
      'true',
    ]);
    expect(await again.text()).toBe(await first.text());
    expect(seen).toEqual([{ model: { name: 'a' } }]);
    const other = await problemOf(await submit(server.url, 'submit-1', 'model: {name: b}'));
    expect(other).toMatchObject({ kind: 'idempotency-mismatch', status: 409 });
    await server.close();
  });
});
