import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { GpuInventory } from '../../services/contracts/gpu.ts';
import type { Run } from '../../services/contracts/run.ts';
import { finalState } from '../support/final-state.ts';
import { type RoleProcess, roleProcesses } from '../support/processes.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { endlessRecovery, seededRandom, storm } from '../support/storm.ts';
import { ended, startTandem, type Tandem } from '../support/tandem.ts';

const full = process.env['TANDEM_TEST_FULL'] === '1';
const kills = Number(process.env['TANDEM_TEST_KILLS'] ?? (full ? 300 : 6));
const seed = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 100_000);
const SECONDS_PER_KILL = 15;

let directory: string;
let tandem: Tandem;
let small: SmallRuns;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-gpus-'));
  const gpus = [0, 1, 2].map((i) => `  - {uuid: GPU-${i}, memory_mib: 81559}`);
  writeFileSync(join(directory, 'three.yaml'), `gpus:\n${gpus.join('\n')}\n`);
  tandem = await startTandem({
    TANDEM_GPUS: join(directory, 'three.yaml'),
    TANDEM_PREEMPT_AFTER: '0',
    TANDEM_STOP_DEADLINE: '1',
    TANDEM_SWEEP_GRACE: '0',
  });
  small = await makeSmallRuns(tandem);
});
afterEach(async () => {
  await tandem?.dispose();
  rmSync(directory, { recursive: true });
});

test(
  `after ${kills} kills at random moments no GPU was in the hands of two attempts, none is leaked, and every run ends with the bytes of an undisturbed one`,
  { timeout: 300_000 + kills * SECONDS_PER_KILL * 1000 },
  async () => {
    const specs = [
      {
        // Long enough to be worth a preemption.
        ...small.sft({ max_steps: 160, save_steps: 16, eval_steps: 80 }),
        ...endlessRecovery,
        gpu_profile: 'shared-1',
        priority: 10,
      },
      { ...small.grpo({ max_steps: 8, save_steps: 2 }, endlessRecovery), gpu_profile: 'split-2', priority: 50 },
      {
        ...small.sft({ max_steps: 40, save_steps: 4, eval_steps: 10 }),
        ...endlessRecovery,
        gpu_profile: 'split-2',
        priority: 90,
      },
    ];
    const straight: Run[] = [];
    for (const spec of specs) straight.push(await tandem.post<Run>('/runs', { ...spec, priority: 50 }));
    for (const { id } of straight) await tandem.until(id, ended);
    const wanted = await Promise.all(straight.map(({ id }) => finalState(tandem, id)));

    const watch = watchGpus(tandem);
    const result = await storm({ tandem, specs, kills, open: 5, random: seededRandom(seed), longestPauseMs: 1500 });
    const { doubled, looks, used } = watch.stop();

    expect(doubled, `seed ${seed}`).toEqual([]);
    expect(looks).toBeGreaterThan(kills);
    expect([...used].sort()).toEqual(['GPU-0', 'GPU-1', 'GPU-2']);
    for (const [i, id] of result.ids.entries()) {
      const run = await tandem.run(id);
      expect(run, run.message).toMatchObject({ status: 'succeeded', reason: 'completed' });
      expect(await finalState(tandem, id), `${id}, seed ${seed}`).toEqual(wanted[i % specs.length]);
    }
    const leased = async () => {
      const { gpus } = await tandem.get<GpuInventory>('/gpus');
      return gpus.flatMap(({ uuid, lease }) => (lease === null ? [] : [`${uuid} ${lease.run} ${lease.state}`]));
    };
    await expect.poll(leased, { timeout: 20_000 }).toEqual([]);
    const events = (await Promise.all(result.ids.map((id) => tandem.events(id)))).flat();
    const count = (name: string) => events.filter((event) => event.name === name).length;
    process.stdout.write(
      `GPU storm, seed ${seed}: ${result.kills.length} kills, ${result.ids.length} runs, ${count('gpus_leased')} leases, ` +
        `${count('preempted')} preemptions, ${looks} looks at the processes\n`,
    );
  },
);

/** Which GPUs each living program was given, as the kernel has it in its environment. */
function watchGpus({ home }: Tandem) {
  const doubled: string[] = [];
  const used = new Set<string>();
  let looks = 0;
  const look = () => {
    looks += 1;
    const owners = new Map<string, string>();
    for (const each of roleProcesses(home)) {
      for (const gpu of each.gpus) {
        used.add(gpu);
        const owner = ownerOf(each);
        const other = owners.get(gpu) ?? owner;
        if (other !== owner) doubled.push(`${gpu}: ${other} and ${owner}`);
        owners.set(gpu, owner);
      }
    }
  };
  const timer = setInterval(look, 50);
  return {
    stop: () => {
      clearInterval(timer);
      return { doubled, looks, used };
    },
  };
}

function ownerOf({ run, attempt }: RoleProcess): string {
  return `${run}.a${attempt}`;
}
