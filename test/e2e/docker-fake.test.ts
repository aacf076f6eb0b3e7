import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { openBucket } from '../support/bucket.ts';
import { type ModelHub, startModelHub } from '../support/model-hub.ts';
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
  let hub: ModelHub;

  beforeAll(async () => {
    hub = await startModelHub();
    stage = await startTandemOnFakeDocker({ env: { HF_ENDPOINT: hub.url } });
    tandem = stage.tandem;
    small = await makeSmallRuns(tandem);
  });
  afterAll(async () => {
    await stage?.dispose();
    await hub?.close();
  });

  it('a GRPO run goes through its pair of containers, with checkpoints in the store, and leaves none of them behind', async () => {
    const { id } = await tandem.post<Run>('/runs', small.grpo());
    await tandem.untilSucceeded(id);
    expect((await tandem.checkpoints(id)).length).toBeGreaterThan(0);
    await tandem.until(id, atRest);
    await expectNothingLeft();
  });

  it('models of a hub and of the store are fetched once by the control plane, and reach the containers as any directory does', async () => {
    const { client } = openBucket(stage.server);
    const files = new Map(readdirSync(small.model).map((name) => [name, readFileSync(join(small.model, name))]));
    hub.put('acme/tiny-sums', { files: Object.fromEntries(files) });
    for (const [name, content] of files) await client.putObject(stage.server.bucket, `models/tiny/${name}`, content);
    const named = (name: string, spec: { model: object }) => ({ ...spec, model: { ...spec.model, name } });
    const posted = await Promise.all([
      tandem.post<Run>('/runs', named('acme/tiny-sums', small.grpo({ max_steps: 1, eval_steps: 0 }))),
      tandem.post<Run>('/runs', named('store:models/tiny', small.sft({ max_steps: 1, eval_steps: 0 }))),
    ]);
    for (const { id } of posted) await tandem.untilSucceeded(id);
    expect(hub.requests.filter(({ server }) => server === 'files')).toHaveLength(1);
    await expectNothingLeft();
  });

  it('a run whose trainer is lost with its container, of which the daemon knows nothing any more, is told so and resumed', async () => {
    const { fake } = stage;
    const spec = { ...small.grpo(), recovery: { max_restarts: 1, backoff_seconds: 0 } };
    const { id } = await tandem.post<Run>('/runs', spec);
    await expect.poll(() => tandem.checkpoints(id), { timeout: 60_000 }).not.toEqual([]);
    fake.lose(fake.containers().find(({ name }) => name.endsWith(`${id}.a1.trainer`))!.id);
    const { attempts } = await tandem.untilSucceeded(id);
    expect(attempts.map(({ reason }) => reason)).toEqual(['trainer_lost', 'completed']);
    const trainer = attempts[0]!.roles.find(({ role }) => role === 'trainer');
    expect(trainer).toMatchObject({ state: 'lost', exit_code: null });
    expect(attempts[1]?.resumed_step).toBeGreaterThan(0);
    await expectNothingLeft();
  });

  it('a run of which no event is told, and whose daemon is killed under it and every answer is cut now and then, ends in one attempt', async () => {
    const { fake } = stage;
    fake.faultEvents({ drop: 1 });
    await fake.kill();
    await fake.start({ liveRestore: true });
    for (const when of ['before', 'after'] as const) {
      for (let skip = 10; skip < 2000; skip += 60) {
        fake.faults.push({ on: /./, fault: { kind: 'cut', when }, skip: skip + (when === 'after' ? 7 : 0), times: 1 });
      }
    }
    fake.faults.push({ on: /\/logs\?.*follow=1/, fault: { kind: 'cut body', after: 300 } });
    const { id } = await tandem.post<Run>('/runs', small.grpo());
    await tandem.until(id, (run) => (run.progress?.step ?? 0) >= 3);
    await fake.kill();
    await fake.start();
    const run = await tandem.untilSucceeded(id);
    expect(run.attempts).toHaveLength(1);
    await expectNothingLeft();
  });

  async function expectNothingLeft(): Promise<void> {
    const left = () => stage.fake.containers().filter(({ body }) => body.Labels?.['dev.tandem.attempt'] !== undefined);
    await expect.poll(left, { timeout: 20_000 }).toEqual([]);
  }
});
