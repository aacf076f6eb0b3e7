import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GpuInventory } from '../../services/contracts/gpu.ts';
import type { QueueView } from '../../services/contracts/queue.ts';
import type { Run } from '../../services/contracts/run.ts';
import { gpuConflicts } from '../support/fake-docker/gpus.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { atRest, type Tandem } from '../support/tandem.ts';
import {
  noFakeContainers,
  startTandemOnFakeDocker,
  type TandemOnFakeDocker,
} from '../support/tandem-on-fake-docker.ts';

const GPUS = Array.from({ length: 8 }, (_, i) => `GPU-00000000-0000-4000-8000-00000000000${i}`);
/** Somebody else's programs are on them. */
const FOREIGN = GPUS.slice(0, 5);

describe.skipIf(noFakeContainers)(
  `eight simulated GPUs, five of them in foreign hands (${noFakeContainers ?? 'fake Docker'})`,
  () => {
    let directory: string;
    let stage: TandemOnFakeDocker;
    let tandem: Tandem;
    let small: SmallRuns;

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'tandem-gpus-'));
      const gpus = GPUS.map((uuid) => ({
        uuid,
        memory_mib: 81_559,
        foreign_processes: FOREIGN.includes(uuid) ? [{ pid: 1, name: 'python', memory_mib: 70_000 }] : [],
      }));
      writeFileSync(join(directory, 'eight.yaml'), JSON.stringify({ gpus }));
      stage = await startTandemOnFakeDocker({
        docker: { gpus: GPUS },
        env: { TANDEM_GPUS: join(directory, 'eight.yaml'), TANDEM_PREEMPT_AFTER: '0', TANDEM_STOP_DEADLINE: '5' },
      });
      tandem = stage.tandem;
      small = await makeSmallRuns(tandem);
    });
    afterAll(async () => {
      await stage?.dispose();
      rmSync(directory, { recursive: true });
    });

    const embedded = { inference: { backend: 'embedded' } };
    const startOf = async (id: string) => Date.parse((await tandem.run(id)).attempts[0]?.started_at ?? '');

    it('three runs compete, one preempts, one backfills, all finish, and each container has the GPUs that were leased to it', async () => {
      const submit = async (spec: object) => (await tandem.post<Run>('/runs', { ...spec, gpu_profile: 'split-2' })).id;
      const humble = await submit({
        ...small.grpo({ max_steps: 300, eval_steps: 300, save_steps: 300 }, embedded),
        priority: 10,
      });
      await tandem.until(humble, (run) => (run.progress?.step ?? 0) >= 2);
      const urgent = await submit({ ...small.grpo({ max_steps: 4 }, embedded), priority: 90 });
      const filling = await submit({ ...small.sft({ max_steps: 5 }), priority: 10, expected_minutes: 1 });
      await tandem.until(filling, (run) => run.attempts.length > 0);
      const { waiting } = await tandem.get<QueueView>('/queue');
      expect(waiting.map(({ run }) => run)).not.toContain(filling);
      const ids = [humble, urgent, filling];
      for (const id of ids) await tandem.untilSucceeded(id, 240);
      for (const id of ids) await tandem.until(id, atRest);

      expect((await tandem.run(humble)).attempts.map(({ reason }) => reason)).toEqual(['preempted', 'completed']);
      expect(await startOf(filling)).toBeLessThan(await startOf(urgent));
      expect(gpuConflicts(stage.fake.gpuHistory)).toEqual([]);
      expect(stage.fake.gpuHistory.filter(({ uuid }) => FOREIGN.includes(uuid))).toEqual([]);
      for (const id of ids) expect(await held(id), id).toEqual(await leased(id));
      const leases = async () => (await tandem.get<GpuInventory>('/gpus')).gpus.filter(({ lease }) => lease !== null);
      await expect.poll(leases, { timeout: 20_000 }).toEqual([]);
    }, 400_000);

    /** Per attempt and role, what the daemon gave its containers. */
    async function held(id: string): Promise<string[]> {
      const ofRun = stage.fake.gpuHistory.filter(({ container }) => container.includes(id));
      return [...new Set(ofRun.map(({ uuid, container }) => `${/a\d+\.[a-z]+/.exec(container)?.[0]} ${uuid}`))].sort();
    }

    /** The same as it was leased. */
    async function leased(id: string): Promise<string[]> {
      const granted = (await tandem.events(id)).filter(({ name }) => name === 'gpus_leased');
      return granted
        .flatMap(({ attempt, data }) => {
          const gpus = data as { trainer: string[]; inference: string[] };
          return (['trainer', 'inference'] as const).flatMap((role) =>
            gpus[role].map((uuid) => `a${attempt}.${role} ${uuid}`),
          );
        })
        .sort();
    }
  },
);
