import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestBench, reconcileUntil, type TestBench } from '../testing.ts';

const HOUR_MS = 3_600_000;
let bench: TestBench;
let uptime: number;
let offset: number;
beforeEach(async () => {
  bench = await createTestBench();
  uptime = 0;
  offset = Date.parse('2026-11-20T09:00:00Z');
});
afterEach(() => bench.remove());

const open = () => bench.open({ now: () => offset + uptime, steady: () => uptime });

it.each([
  ['forward', 5 * HOUR_MS],
  ['back', -5 * HOUR_MS],
])('a clock that is set %s ends nothing early and holds nothing up', async (_where, jump) => {
  bench.script('trainer', 'trap "exit 0" TERM; while :; do sleep 0.05; done');
  const wiring = await open();
  const { id } = (await wiring.service.submit(bench.spec(), () => undefined)).body;
  const trainer = () => wiring.service.get(id).attempts.at(-1)?.roles[0];
  await reconcileUntil(wiring, () => trainer()?.pid != null);
  offset += jump;
  await wiring.reconciler.round();
  await wiring.reconciler.round();
  // Neither has the start timed out, nor is anything older than the run itself.
  expect(wiring.service.get(id)).toMatchObject({ status: 'starting' });
  const { started_at } = wiring.service.get(id).attempts[0] ?? {};
  expect(Date.parse(started_at as string)).toBe(offset);

  wiring.service.cancel(id);
  offset -= jump;
  await wiring.reconciler.round();
  await wiring.reconciler.round();
  expect(wiring.service.get(id)).toMatchObject({ status: 'stopping' });
  const sent = () => wiring.service.get(id).status !== 'stopping';
  uptime += 119_000;
  await wiring.reconciler.round();
  expect(sent()).toBe(false);
  uptime += 1000;
  await reconcileUntil(wiring, sent);
  const run = wiring.service.get(id);
  expect(run).toMatchObject({ status: 'cancelled' });
  expect(Date.parse(run.attempts[0]?.ended_at as string)).toBe(offset + uptime);
});

it('a wait before a restart stays as long as it was', async () => {
  bench.script('trainer', 'exit 70');
  const wiring = await open();
  const spec = bench.spec({ recovery: { max_restarts: 1, backoff_seconds: 60 } });
  const { id } = (await wiring.service.submit(spec, () => undefined)).body;
  await reconcileUntil(wiring, () => wiring.service.get(id).reason === 'waiting_to_restart');
  for (const jump of [HOUR_MS, -2 * HOUR_MS]) {
    offset += jump;
    await wiring.reconciler.round();
    expect(wiring.service.get(id).waiting).toMatchObject({ why: expect.stringContaining('restarts in 60 s') });
  }
  uptime += 60_000;
  await reconcileUntil(wiring, () => wiring.service.get(id).attempts.length === 2);
});

it('makes nobody in the queue older or younger than those that come', async () => {
  const wiring = await open();
  const { id } = (await wiring.service.submit(bench.spec(), () => undefined)).body;
  wiring.db.run("INSERT INTO leases VALUES ('GPU-0', :id, 1, 'trainer', 0, 1, :now, 'held', NULL, NULL)", {
    id,
    now: offset,
  });
  offset += HOUR_MS;
  await wiring.reconciler.round();
  expect(wiring.db.get('SELECT queued_at FROM runs')).toEqual({ queued_at: offset });
  expect(wiring.db.get('SELECT granted_at FROM leases')).toEqual({ granted_at: offset });
});
