import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { findAddons } from '../../services/model/engines/find-addons.ts';
import { finalState } from '../support/final-state.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { noContainers, startTandemInDocker, type TandemInDocker } from '../support/tandem-in-docker.ts';

const full = process.env['TANDEM_TEST_FULL'] === '1';
const noTensorFlow = findAddons(process.env).cpu === null ? 'no TensorFlow; --full installs it' : null;
const why = noContainers ?? noTensorFlow;

/** An image of 1.5 GB is made for it, hence only with `--full`. */
describe.skipIf(why !== null || !full)(`trainers of an image with TensorFlow (${why ?? '--full'})`, () => {
  let stage: TandemInDocker;
  let small: SmallRuns;

  beforeAll(async () => {
    stage = await startTandemInDocker({ TANDEM_TF: 'auto' }, { engine: 'cpu' });
    small = await makeSmallRuns(stage.tandem);
  }, 600_000);
  afterAll(() => stage?.dispose());

  test('compute on it unless told otherwise, and a run that was paused ends with the same bytes', async () => {
    const { tandem } = stage;
    const spec = { ...small.grpo({ max_steps: 12, save_steps: 4 }), recovery: { max_restarts: 0 } };
    const straight = await tandem.untilSucceeded((await tandem.post<Run>('/runs', spec)).id, 180);
    expect(straight.attempts.at(-1)?.engine).toMatchObject({ name: 'node' });

    const { id } = await tandem.post<Run>('/runs', spec);
    await tandem.until(id, (run) => (run.progress?.step ?? 0) >= 3);
    await tandem.post(`/runs/${id}/pause`);
    await tandem.until(id, (run) => run.status === 'paused');
    await tandem.post(`/runs/${id}/resume`);
    const resumed = await tandem.untilSucceeded(id, 180);
    expect(resumed.attempts.map(({ engine }) => engine?.name)).toEqual(['node', 'node']);
    expect(await finalState(tandem, id)).toEqual(await finalState(tandem, straight.id));
  });
});
