import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Crash, createCrash } from '../../services/control-plane/crash.fixture.ts';
import { createFileSource } from '../../services/control-plane/gpus/file-source.ts';
import {
  createTestBench,
  reconcileUntil,
  serveHealth,
  type TestBench,
  trainerPrelude,
} from '../../services/control-plane/testing.ts';
import type { Database } from '../../services/platform/database.ts';

let bench: TestBench;
beforeEach(async () => {
  bench = await createTestBench();
});
afterEach(() => bench.remove());

/** Crashes the control plane after its `at`-th persisted step, starts another one, and tells how it all ended; null when `at` was never reached. */
async function crashAt(at: number, method: 'sft' | 'grpo', profile: string | null) {
  const gpuSource = createFileSource(join(bench.root, 'gpus.yaml'));
  const first = await bench.open({ gpuSource });
  const id = (await first.service.submit(bench.spec({ method, gpu_profile: profile }), () => undefined)).body.id;
  await first.close();
  const upload = join(bench.root, '.tandem/objects/runs', id, 'checkpoints/a1/checkpoint-7');
  mkdirSync(upload, { recursive: true });
  writeFileSync(join(upload, 'optimizer.pt'), 'half');

  const crash = createCrash(at);
  const crashing = await bench.open({ ...crash, gpuSource });
  const isSettled = async ({ service, runtime, db }: Pick<typeof crashing, 'service' | 'runtime' | 'db'>) =>
    service.get(id).status === 'succeeded' &&
    (await runtime.observe()).length === 0 &&
    (await runtime.listShared()).length === 0 &&
    db.get('SELECT id FROM runs WHERE files_due = 1') === undefined &&
    db.get('SELECT gpu FROM leases') === undefined;
  await reconcileUntil(crashing, () => crash.isDead() || isSettled(crashing)).catch((error: unknown) => {
    if (!(error instanceof Crash)) throw error;
  });
  await crashing.close();

  const second = await bench.open({ environment: { TANDEM_SWEEP_GRACE: '0' }, gpuSource });
  const kept = leasesIn(second);
  await second.recover();
  await second.adopt();
  await reconcileUntil(second, () => isSettled(second));
  // What is removed in the background is removed to its end.
  await second.reconciler.close();
  const run = second.service.get(id);
  const left = readdirSync(join(bench.root, '.tandem/work'));
  const leased = second.db.all<{ name: string; data: string }>(
    "SELECT name, data FROM events WHERE run = :id AND name IN ('gpus_leased', 'gpus_released') ORDER BY events.id",
    { id },
  );
  const starts = second.db.all<{ name: string }>(
    "SELECT name FROM events WHERE run = :id AND name IN ('role_started', 'attempt_started', 'attempt_ended') ORDER BY events.id",
    { id },
  );
  await second.close();
  return {
    reached: crash.isDead(),
    run,
    left,
    uploaded: existsSync(upload),
    starts: starts.map(({ name }) => name),
    kept,
    leased,
  };
}

/** What each attempt under way holds. */
function leasesIn({ db }: { db: Database }): { open: number; gpus: string[] } {
  const open = db.all('SELECT 1 FROM attempts WHERE ended_at IS NULL').length;
  return { open, gpus: db.all<{ gpu: string }>('SELECT gpu FROM leases ORDER BY gpu').map(({ gpu }) => gpu) };
}

describe('a control plane that is killed after any persisted step', () => {
  it.each([
    ['sft', null, [], ['attempt_started', 'role_started', 'attempt_ended']],
    ['grpo', 'split-2', ['GPU-0', 'GPU-1'], ['attempt_started', 'role_started', 'role_started', 'attempt_ended']],
  ] as const)(
    'is taken over by the next one: the trainer of a %s run (profile %s) ran once, no exit code is lost, no GPU leaked',
    { timeout: 180_000 },
    async (method, profile, gpus, expected) => {
      writeFileSync(
        join(bench.root, 'gpus.yaml'),
        'gpus: [{uuid: GPU-0, memory_mib: 9}, {uuid: GPU-1, memory_mib: 9}]',
      );
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
        const { reached, run, left, uploaded, starts, kept, leased } = await crashAt(at, method, profile);
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
        // All of them while the attempt is open, and none before.
        if (kept.open === 1) expect(kept.gpus, `crash after step ${at}`).toEqual(gpus);
        expect([[], gpus]).toContainEqual(kept.gpus);
        const given = leased.map(({ name, data }) => [name, (JSON.parse(data) as { epoch: number }).epoch]);
        const epoch = given[0]?.[1];
        expect(given, `crash after step ${at}`).toEqual(
          gpus.length === 0
            ? []
            : [
                ['gpus_leased', epoch],
                ['gpus_released', epoch],
              ],
        );
        expect(left).toEqual([]);
        expect(uploaded, `an upload that was cut off, crash after step ${at}`).toBe(false);
        expect(bench.read('.tandem/ran').trim().split('\n').length).toBe(at);
        if (!reached) break;
        points += 1;
      }
      health.close();
      expect(points).toBeGreaterThan(8);
    },
  );
});
