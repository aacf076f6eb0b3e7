import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openFileStore } from '../../platform/file-store.ts';
import type { ObjectStore, ObjectTransfers } from '../../platform/object-store.ts';
import { commitOf, contentOf, manifestOf } from '../checkpoints/checkpoint.fixtures.ts';
import { checkpointPrefix, manifestKey } from '../checkpoints/checkpoint-keys.ts';
import { createTestBench, reconcileUntil, type TestBench, trainerPrelude } from '../testing.ts';

let bench: TestBench;
let server: Server;
/** Downloads that were begun; none is ever answered. */
let downloads: number;
beforeEach(async () => {
  bench = await createTestBench();
  downloads = 0;
  server = createServer(() => {
    downloads += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // The first trainer ends at once, every other one when it is told to.
  bench.script(
    'trainer',
    `${trainerPrelude}
     trap 'exit 0' TERM
     if mkdir ${bench.root}/first 2> /dev/null; then record "$finished"; exit 0; fi
     while :; do sleep 0.02; done`,
  );
});
afterEach(async () => {
  await bench.remove();
  server.closeAllConnections();
  server.close();
});

/** A store that is reached over HTTP, and never gets a file across. */
function silentStore(): ObjectStore {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const transfers = {
    link: async () => url,
    unfinished: async function* () {},
    abort: async () => undefined,
  } as unknown as ObjectTransfers;
  return { ...openFileStore(join(bench.root, 'bucket')), localDirectory: () => null, transfers };
}

/** A run that has ended, and whose final checkpoint is being fetched for its tree. */
async function endedRun(store: ObjectStore) {
  const wiring = await bench.open({ store, environment: { TANDEM_STOP_DEADLINE: '1' } });
  const { id } = (await wiring.service.submit(bench.spec(), () => undefined)).body;
  const manifest = manifestOf(id, 1, 10, ['final']);
  for (const { path } of commitOf(10).files) await store.put(checkpointPrefix(manifest) + path, contentOf(10, path));
  await store.put(manifestKey(manifest), Buffer.from(JSON.stringify(manifest)));
  await reconcileUntil(wiring, () => wiring.service.get(id).status === 'succeeded' && downloads > 0);
  return { wiring, id };
}

it('a tree that cannot be finished keeps no other run from being started, stopped at its deadline and ended', async () => {
  const { wiring, id } = await endedRun(silentStore());
  const other = (await wiring.service.submit(bench.spec(), () => undefined)).body.id;
  await reconcileUntil(wiring, () => wiring.service.get(other).attempts[0]?.roles[0]?.pid != null);
  wiring.service.cancel(other);
  await reconcileUntil(wiring, () => wiring.service.get(other).status === 'cancelled');
  await reconcileUntil(wiring, async () => (await wiring.runtime.observe()).length === 0);
  expect(wiring.db.get('SELECT files_due FROM runs WHERE id = :id', { id })).toEqual({ files_due: 1 });
});

it('its own run can be resumed meanwhile, and its tree is then left to the new attempt', async () => {
  const { wiring, id } = await endedRun(silentStore());
  await wiring.service.resume(id, { from: 'latest', overrides: {}, fork: false }, () => undefined);
  await reconcileUntil(wiring, () => wiring.service.get(id).attempts[1]?.roles[0]?.pid != null);
  wiring.service.pause(id);
  const begun = downloads;
  await reconcileUntil(wiring, () => wiring.service.get(id).status === 'paused');
  await reconcileUntil(wiring, () => downloads > begun);
  expect(wiring.db.get('SELECT files_due FROM runs WHERE id = :id', { id })).toEqual({ files_due: 1 });
});

it('the control plane ends at once all the same, and the next one goes on with the tree', async () => {
  const store = silentStore();
  const { wiring, id } = await endedRun(store);
  const before = performance.now();
  await wiring.reconciler.close();
  await wiring.close();
  expect(performance.now() - before).toBeLessThan(1500);

  const begun = downloads;
  const next = await bench.open({ store });
  await reconcileUntil(next, () => downloads > begun);
  expect(next.service.get(id).status).toBe('succeeded');
});

it('a store that never answers holds up the end for no longer than the grace', async () => {
  const store = silentStore();
  const deaf: ObjectStore = {
    ...store,
    list: () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => {
          asked += 1;
          return new Promise<never>(() => undefined);
        },
      }),
    }),
  };
  let asked = 0;
  const wiring = await bench.open({ store: deaf });
  const { id } = (await wiring.service.submit(bench.spec(), () => undefined)).body;
  await reconcileUntil(wiring, () => asked > 0);
  expect(wiring.service.get(id).status).toBe('starting');
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  try {
    const closed = wiring.reconciler.close();
    await vi.advanceTimersByTimeAsync(2000);
    await closed;
  } finally {
    vi.useRealTimers();
  }
});
