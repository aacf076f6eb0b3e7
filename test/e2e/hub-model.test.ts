import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { finalState } from '../support/final-state.ts';
import { type ModelHub, startModelHub } from '../support/model-hub.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { startTandem, type Tandem } from '../support/tandem.ts';

const REPO = 'acme/tiny-sums';
let hub: ModelHub;
let tandem: Tandem;
let small: SmallRuns;

beforeAll(async () => {
  hub = await startModelHub();
  tandem = await startTandem({ HF_ENDPOINT: hub.url, HF_TOKEN: hub.token });
  small = await makeSmallRuns(tandem);
});
afterAll(async () => {
  await tandem?.dispose();
  await hub?.close();
});

const putModel = () => {
  const names = readdirSync(small.model);
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(small.model, name))]));
  return hub.put(REPO, { files: { ...files, 'pytorch_model.bin': 'pickled' }, gated: true });
};
const named = (spec: { model: object }) => ({ ...spec, model: { ...spec.model, name: REPO } });

test('a run trains a model that it only names as it trains the same in a directory, through a control plane that dies while it fetches', async () => {
  const commit = putModel();
  const spec = small.sft({ max_steps: 3, eval_steps: 0 });
  hub.fault({ path: /model\.safetensors/, cutAfter: 100_000 });
  hub.fault({ path: /model\.safetensors/, until: new Promise(() => undefined) });
  const { id, status } = await tandem.post<Run>('/runs', named(spec));
  expect(status).toBe('queued');
  const held = () => hub.requests.find(({ range }) => range === 'bytes=100000-') !== undefined;
  await expect.poll(held, { timeout: 20_000 }).toBe(true);
  expect(await tandem.run(id)).toMatchObject({ status: 'queued', reason: 'fetching_model' });
  await tandem.kill();
  await tandem.start();
  const run = await tandem.untilSucceeded(id);
  const weights = hub.requests.filter(({ server }) => server === 'files');
  // What had arrived was on disk when it died.
  expect(weights.map(({ range }) => range)).toEqual([null, 'bytes=100000-', 'bytes=100000-']);
  expect(weights.every(({ authorization }) => authorization === null)).toBe(true);
  const cached = join(tandem.home, 'models/hub', REPO, commit);
  expect(readdirSync(cached)).not.toContain('pytorch_model.bin');
  expect(existsSync(`${cached}.partial`)).toBe(false);

  const other = await tandem.untilSucceeded((await tandem.post<Run>('/runs', spec)).id);
  expect(await finalState(tandem, run.id)).toEqual(await finalState(tandem, other.id));
});

test('a run on it serves, and resumes, and others start, without the hub', async () => {
  putModel();
  const first = await tandem.untilSucceeded((await tandem.post<Run>('/runs', named(small.grpo({ max_steps: 1 })))).id);
  await hub.close();
  await tandem.post(`/runs/${first.id}/resume`, { from: 'latest', overrides: { training: { max_steps: 2 } } });
  await tandem.untilSucceeded(first.id);
  // The name still means the commit that it meant when the hub was there.
  const again = await tandem.untilSucceeded((await tandem.post<Run>('/runs', named(small.sft({ max_steps: 1 })))).id);
  expect(again.warnings.join()).toContain('The hub could not be asked');
  expect(tandem.serverLog()).not.toContain(hub.token);
});
