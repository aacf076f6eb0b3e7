import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { atRest } from '../support/tandem.ts';
import { noContainers, startTandemInDocker, type TandemInDocker } from '../support/tandem-in-docker.ts';

describe.skipIf(noContainers)(`runs as containers (${noContainers ?? 'Docker'})`, () => {
  let stage: TandemInDocker;
  let small: SmallRuns;

  beforeAll(async () => {
    stage = await startTandemInDocker();
    small = await makeSmallRuns(stage.tandem);
  }, 180_000);
  afterAll(() => stage?.dispose());

  test('a GRPO run goes from start to end as two containers and leaves nothing behind', async () => {
    const { tandem, daemon } = stage;
    daemon.docker(
      'run',
      '-d',
      '--network',
      'none',
      '--name',
      'of-somebody-else',
      'tandem:under-test',
      '-e',
      'setInterval(()=>{},1e3)',
    );
    const { id } = await tandem.post<Run>('/runs', small.grpo({ max_steps: 4 }));
    const run = await tandem.untilSucceeded(id, 120);
    await tandem.until(id, atRest);
    expect(run.attempts).toHaveLength(1);
  }, 180_000);
});
