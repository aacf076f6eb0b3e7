import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Crash, createCrash } from '../crash.fixture.ts';
import { createTestBench, reconcileUntil, serveHealth, type TestBench, trainerPrelude } from '../testing.ts';

let bench: TestBench;
beforeEach(async () => {
  bench = await createTestBench();
});
afterEach(() => bench.remove());

/** Crashes the control plane after its `at`-th persisted step, starts another one, and tells how it all ended; null when `at` was never reached. */
async function crashAt(at: number, method: 'sft' | 'grpo') {
  const first = await bench.open();
  const id = (await first.service.submit(bench.spec({ method }), () => undefined)).body.id;
  await first.close();
  const upload = join(bench.root, '.tandem/objects/runs', id, 'checkpoints/a1/checkpoint-7');
  mkdirSync(upload, { recursive: true });
  writeFileSync(join(upload, 'optimizer.pt'), 'half');

  const crash = createCrash(at);
  const crashing = await bench.open(crash);
  const isSettled = async ({ service, runtime, db }: Pick<typeof crashing, 'service' | 'runtime' | 'db'>) =>
    service.get(id).status === 'succeeded' &&
    (await runtime.observe()).length === 0 &&
    db.get('SELECT id FROM runs WHERE files_due = 1') === undefined;
  await reconcileUntil(crashing, () => crash.isDead() || isSettled(crashing)).catch((error: unknown) => {
    if (!(error instanceof Crash)) throw error;
  });
  await crashing.close();

  const second = await bench.open({ environment: { TANDEM_SWEEP_GRACE: '0' } });
  await second.recover();
  await second.adopt();
  await reconcileUntil(second, () => isSettled(second));
  const run = second.service.get(id);
  const left = readdirSync(join(bench.root, '.tandem/work'));
  const starts = second.db.all<{ name: string }>(
    "SELECT name FROM events WHERE run = :id AND name IN ('role_started', 'attempt_started', 'attempt_ended') ORDER BY events.id",
    { id },
  );
  await second.close();
  return { reached: crash.isDead(), run, left, uploaded: existsSync(upload), starts: starts.map(({ name }) => name) };
}

describe('a control plane that is killed after any persisted step', () => {
  it.each([
    ['sft', ['attempt_started', 'role_started', 'attempt_ended']],
    ['grpo', ['attempt_started', 'role_started', 'role_started', 'attempt_ended']],
  ] as const)('is taken over by the next one: the trainer of a %s run ran once, and no exit code is lost', async (method, expected) => {
    const health = await serveHealth();
    bench.script(
      'inference',
      `while [ "$1" != --ready-file ]; do shift; done
       printf '{"url":"${health.url}","pid":%s}' $$ > "$2.tmp"; mv "$2.tmp" "$2"
       exec sleep 60`,
    );
    bench.script('trainer', `${trainerPrelude} record "$finished"; echo ran >> "$TANDEM_WORKSPACE/../../../../ran"`);
    let points = 0;
    for (let at = 1; ; at += 1) {
      const { reached, run, left, uploaded, starts } = await crashAt(at, method);
      expect(run, `crash after step ${at}`).toMatchObject({
        status: 'succeeded',
        attempts: [
          {
            number: 1,
            reason: 'completed',
            roles: expect.arrayContaining([expect.objectContaining({ role: 'trainer', exit_code: 0 })]),
          },
        ],
      });
      expect(starts).toEqual(expected);
      expect(left).toEqual([]);
      expect(uploaded, `an upload that was cut off, crash after step ${at}`).toBe(false);
      expect(bench.read('.tandem/ran').trim().split('\n').length).toBe(at);
      if (!reached) break;
      points += 1;
    }
    health.close();
    expect(points).toBeGreaterThan(8);
  });
});
