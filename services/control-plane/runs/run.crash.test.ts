import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Crash, createCrash } from '../crash.fixture.ts';
import { createTestBench, reconcileUntil, type TestBench, trainerPrelude } from '../testing.ts';
import type { RunService } from './run.service.ts';

let bench: TestBench;
beforeEach(async () => {
  bench = await createTestBench();
  bench.script('trainer', `${trainerPrelude} record "$finished"`);
});
afterEach(() => bench.remove());

const resumption = { from: 'latest', overrides: {}, fork: false } as const;

/** Does `work` in a control plane that is gone after its `at`-th persisted step; says whether it got that far. */
async function crashIn(at: number, work: (service: RunService) => Promise<unknown>): Promise<boolean> {
  const crash = createCrash(at);
  const wiring = await bench.open(crash);
  await work(wiring.service).catch((error: unknown) => {
    if (!(error instanceof Crash)) throw error;
  });
  await wiring.close();
  return crash.isDead();
}

/** Opens a control plane that lives, for `work`. */
async function living<T>(work: (service: RunService) => Promise<T> | T): Promise<T> {
  const wiring = await bench.open();
  await wiring.recover();
  try {
    return await work(wiring.service);
  } finally {
    await wiring.close();
  }
}

async function endedRun(output_dir: string): Promise<string> {
  const wiring = await bench.open();
  const { id } = (await wiring.service.submit(specFor(output_dir), () => undefined)).body;
  await reconcileUntil(wiring, async () => {
    const clear = (await wiring.runtime.observe()).length === 0;
    return (
      clear &&
      wiring.service.get(id).status === 'succeeded' &&
      wiring.db.get('SELECT id FROM runs WHERE files_due = 1') === undefined
    );
  });
  await wiring.close();
  return id;
}

const specFor = (output_dir: string) => bench.spec({ training: { output_dir } });
const runsIn = (service: RunService) => service.list({ limit: 100 }).runs;

it('a submission that is cut off leaves one queued run or none, and can be repeated when it left none', async () => {
  for (let at = 1, reached = true; reached; at += 1) {
    const tree = `outputs/submitted-${at}`;
    reached = await crashIn(at, (service) => service.submit(specFor(tree), () => undefined));
    await living(async (service) => {
      const mine = () => runsIn(service).filter(({ output_dir }) => output_dir === tree);
      if (mine().length === 0) await service.submit(specFor(tree), () => undefined);
      expect(mine()).toMatchObject([{ status: 'queued' }]);
      const marker = JSON.parse(bench.read(`${tree}/.tandem-run.json`)) as { run: string };
      expect(marker.run).toBe(mine()[0]?.id);
    });
  }
});

it('a resume that is cut off has happened or has not', async () => {
  const id = await endedRun('outputs/resumed');
  for (let at = 1, reached = true; reached; at += 1) {
    reached = await crashIn(at, (service) => service.resume(id, resumption, () => undefined));
    await living(async (service) => {
      const before = service.get(id).status;
      expect(['succeeded', 'cancelled', 'queued']).toContain(before);
      if (before !== 'queued') await service.resume(id, resumption, () => undefined);
      expect(service.get(id)).toMatchObject({ status: 'queued', reason: 'resumed' });
      service.cancel(id);
    });
  }
});

it('a deletion that is cut off is completed by repeating it, and leaves nothing', async () => {
  let points = 0;
  for (let at = 1, reached = true; reached; at += 1, points += 1) {
    const tree = `outputs/deleted-${at}`;
    const id = await endedRun(tree);
    reached = await crashIn(at, (service) => service.remove(id));
    await living(async (service) => {
      if (runsIn(service).some((run) => run.id === id)) await service.remove(id);
      expect(runsIn(service)).toEqual([]);
    });
    expect(existsSync(join(bench.root, tree))).toBe(false);
    for (const room of ['objects/runs', 'records', 'work', 'output']) {
      const left = join(bench.root, '.tandem', room);
      expect(existsSync(left) ? readdirSync(left) : [], room).toEqual([]);
    }
  }
  expect(points).toBeGreaterThan(2);
});
