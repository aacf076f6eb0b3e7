import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { GpuInventory } from '../../services/contracts/gpu.ts';
import type { Run } from '../../services/contracts/run.ts';
import { parseRoleName, type RoleIdentity } from '../../services/control-plane/runtimes/runtime.ts';
import type { FakeDocker } from '../support/fake-docker/fake-docker.ts';
import { gpuConflicts } from '../support/fake-docker/gpus.ts';
import { finalState } from '../support/final-state.ts';
import type { RoleProcess } from '../support/processes.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { endlessRecovery, type StormResult, seededRandom, storm } from '../support/storm.ts';
import { ended, type Tandem } from '../support/tandem.ts';
import {
  noFakeContainers,
  startTandemOnFakeDocker,
  type TandemOnFakeDocker,
} from '../support/tandem-on-fake-docker.ts';
import { expectAllKept } from '../support/what-is-kept.ts';

const full = process.env['TANDEM_TEST_FULL'] === '1';
const kills = Number(process.env['TANDEM_TEST_KILLS'] ?? (full ? 300 : 8));
const seed = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 100_000);
const SECONDS_PER_KILL = 20;
const GPUS = [0, 1, 2].map((i) => `GPU-00000000-0000-4000-8000-00000000000${i}`);

describe.skipIf(noFakeContainers)(`a storm over containers (${noFakeContainers ?? 'fake Docker'})`, () => {
  let directory: string;
  let stage: TandemOnFakeDocker;
  let tandem: Tandem;
  let small: SmallRuns;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tandem-gpus-'));
    const gpus = GPUS.map((uuid) => ({ uuid, memory_mib: 81_559 }));
    writeFileSync(join(directory, 'three.yaml'), JSON.stringify({ gpus }));
    stage = await startTandemOnFakeDocker({
      docker: { gpus: GPUS, liveRestore: true },
      env: {
        TANDEM_GPUS: join(directory, 'three.yaml'),
        TANDEM_PREEMPT_AFTER: '0',
        TANDEM_STOP_DEADLINE: '1',
        TANDEM_SWEEP_GRACE: '0',
      },
    });
    tandem = stage.tandem;
    small = await makeSmallRuns(tandem);
  });
  afterEach(async () => {
    await stage?.dispose();
    rmSync(directory, { recursive: true });
  });

  test(
    `after ${kills} kills at random moments, and some of the daemon itself, which loses half of its events, no container was started twice, no GPU was in two, no exit code is lost, and every run ends with the bytes of an undisturbed one`,
    { timeout: 300_000 + kills * SECONDS_PER_KILL * 1000 },
    async () => {
      const { fake } = stage;
      const random = seededRandom(seed);
      const sft = small.sft({ max_steps: 40, save_steps: 4, eval_steps: 10 });
      const grpo = small.grpo({ max_steps: 8, save_steps: 2 }, { inference: { backend: 'embedded' } });
      const specs = [
        { ...sft, ...endlessRecovery, gpu_profile: 'shared-1', priority: 10 },
        { ...grpo, ...endlessRecovery, gpu_profile: 'split-2', priority: 50 },
        { ...sft, ...endlessRecovery, gpu_profile: 'split-2', priority: 90 },
      ];
      const straight: Run[] = [];
      for (const spec of specs) straight.push(await tandem.post<Run>('/runs', { ...spec, priority: 50 }));
      for (const { id } of straight) await tandem.until(id, ended);
      const wanted = await Promise.all(straight.map(({ id }) => finalState(tandem, id)));

      fake.faultEvents({ drop: 0.5, duplicate: 0.2, reorder: 0.2, seed });
      let deaths = 0;
      const killDaemon = async () => {
        deaths += 1;
        await fake.kill();
        await sleep(random() * 1000);
        await fake.start();
      };
      const programs = () => rolesOf(fake);
      const result = await storm({
        tandem,
        specs,
        kills,
        open: 4,
        random,
        longestPauseMs: 1500,
        programs,
        disturb: killDaemon,
      });

      expect(deaths, `seed ${seed}`).toBeGreaterThan(0);
      for (const [i, id] of result.ids.entries()) {
        const wasStarted = (role: string) => fake.starts.some((name) => name.endsWith(`-${role}`));
        const run = await expectAllKept(tandem, id, { wasStarted });
        expect(run, run.message).toMatchObject({ status: 'succeeded', reason: 'completed' });
        expect(await finalState(tandem, id), `${id}, seed ${seed}`).toEqual(wanted[i % specs.length]);
      }
      expect([...fake.starts].sort(), `seed ${seed}`).toEqual([...new Set(fake.starts)].sort());
      expect(gpuConflicts(fake.gpuHistory), `seed ${seed}`).toEqual([]);
      await expectExitCodes(result);
      const leases = async () => (await tandem.get<GpuInventory>('/gpus')).gpus.filter(({ lease }) => lease !== null);
      await expect.poll(leases, { timeout: 20_000 }).toEqual([]);
      await expect
        .poll(() => fake.containers().filter(({ name }) => parseName(name) !== null), { timeout: 20_000 })
        .toEqual([]);
      process.stdout.write(
        `Docker storm, seed ${seed}: ${result.kills.length} kills, ${deaths} of the daemon, ${result.ids.length} runs, ${fake.starts.length} containers started\n`,
      );
    },
  );

  /** Who was killed is known as killed, unless it had ended by itself an instant before. */
  async function expectExitCodes({ kills: all, ids }: StormResult): Promise<void> {
    const events = (
      await Promise.all(ids.map(async (id) => (await tandem.events(id)).map((event) => ({ ...event, run: id }))))
    ).flat();
    const exits = events.filter(({ name }) => name === 'role_exited');
    const victims = all.flatMap(({ process: victim }) => (victim === null ? [] : [identities.get(victim.startTime)!]));
    for (const { run, attempt, role, start } of victims) {
      const exit = exits.find(
        ({ data, ...event }) =>
          event.run === run && event.attempt === attempt && data['role'] === role && data['start'] === start,
      );
      expect([0, 137], `${run}.a${attempt}.${role}.${start}`).toContain(exit?.data['exit_code']);
    }
  }
});

const parseName = (name: string) => parseRoleName(name.replace(/^tandem-[^-]+-/, ''));

/** Whose each container is, or was. */
const identities = new Map<string, RoleIdentity>();

/** The programs in the containers of a daemon, as they run on this machine; their containers' ids name them. */
function rolesOf(fake: FakeDocker): RoleProcess[] {
  return fake.containers().flatMap(({ id, name, program, status }) => {
    const identity = parseName(name);
    if (identity === null || program === null || status !== 'running') return [];
    identities.set(id, identity);
    const { run, attempt, role } = identity;
    return [{ pid: program.pid, startTime: id, run, attempt, role, gpus: [] }];
  });
}
