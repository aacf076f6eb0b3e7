import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openFileStore } from '../platform/file-store.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import { createTestBench, type TestBench } from './testing.ts';

const RUN = 'run-aaaaaaaa';
let bench: TestBench;
beforeEach(async () => {
  bench = await createTestBench();
});
afterEach(async () => {
  vi.useRealTimers();
  await bench.remove();
});

/** The files of a home, whose lists never have a first entry. */
const storeWith = (next: () => Promise<never>): ObjectStore => ({
  ...openFileStore(join(bench.root, '.tandem/objects')),
  list: () => ({ [Symbol.asyncIterator]: () => ({ next }) }),
});

describe('a control plane', () => {
  it('starts although what a broken-off import left cannot be removed, and keeps it in mind', async () => {
    const entry = join(bench.root, '.tandem/imports', `${RUN}.json`);
    mkdirSync(join(entry, '..'), { recursive: true });
    writeFileSync(entry, JSON.stringify({ run: RUN, tree: join(bench.root, 'outputs/imported') }));
    const wiring = await bench.open({ store: storeWith(() => Promise.reject(new Error('the store is away'))) });
    await wiring.recover();
    expect(existsSync(entry)).toBe(true);
  });

  it('goes on when it cannot look for files to sweep', async () => {
    const wiring = await bench.open({
      wrapDatabase: (db) => ({
        ...db,
        all: (sql, params) => {
          if (sql.includes('FROM unsettled')) throw new Error('the database is locked');
          return db.all(sql, params);
        },
      }),
    });
    await wiring.adopt();
    await wiring.close();
  });

  it('does not wait for a sweep that the store keeps waiting', async () => {
    let asked = 0;
    const silent = () => {
      asked += 1;
      return new Promise<never>(() => undefined);
    };
    const wiring = await bench.open({ store: storeWith(silent) });
    wiring.db.run('INSERT INTO unsettled VALUES (:run, 1, 10, 0)', { run: RUN });
    await wiring.adopt();
    await expect.poll(() => asked).toBe(1);
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    const closed = wiring.close();
    await vi.advanceTimersByTimeAsync(2000);
    await closed;
  });
});
