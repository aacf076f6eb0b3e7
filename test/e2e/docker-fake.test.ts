import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { atRest, type Tandem } from '../support/tandem.ts';
import {
  noFakeContainers,
  startTandemOnFakeDocker,
  type TandemOnFakeDocker,
} from '../support/tandem-on-fake-docker.ts';

describe.skipIf(noFakeContainers)(`runs on the fake Docker daemon (${noFakeContainers ?? 'MinIO'})`, () => {
  let stage: TandemOnFakeDocker;
  let tandem: Tandem;
  let small: SmallRuns;

  beforeAll(async () => {
    stage = await startTandemOnFakeDocker();
    tandem = stage.tandem;
    small = await makeSmallRuns(tandem);
  });
  afterAll(() => stage?.dispose());

  it('a GRPO run goes through its pair of containers, with checkpoints in the store, and leaves none of them behind', async () => {
    const { id } = await tandem.post<Run>('/runs', small.grpo());
    await tandem.untilSucceeded(id);
    expect((await tandem.checkpoints(id)).length).toBeGreaterThan(0);
    await tandem.until(id, atRest);
    const left = () => stage.fake.containers().filter(({ body }) => body.Labels?.['dev.tandem.attempt'] !== undefined);
    await expect.poll(left, { timeout: 20_000 }).toEqual([]);
  });
});
