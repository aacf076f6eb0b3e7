import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Problem } from '../../services/contracts/problem.ts';
import type { Run } from '../../services/contracts/run.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { ended, startTandem, type Tandem } from '../support/tandem.ts';

let tandem: Tandem;
let small: SmallRuns;
let source: Run;

beforeAll(async () => {
  tandem = await startTandem();
  small = await makeSmallRuns(tandem);
  source = await finished(small.sft({ max_steps: 15, save_steps: 5, eval_steps: 0, save_total_limit: 5 }));
  expect(source, source.message).toMatchObject({ status: 'succeeded' });
});
afterAll(() => tandem?.dispose());

const finished = async (spec: object) => tandem.until((await tandem.post<Run>('/runs', spec)).id, ended);
const objects = (step: number, name = ''): string =>
  join(tandem.home, 'objects/runs', source.id, 'checkpoints/a1', `checkpoint-${step}`, name);
const resume = async (body: object) => {
  const response = await fetch(`${tandem.url}/runs/${source.id}/resume`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return {
    status: response.status,
    body: (await response.json()) as Pick<Problem, 'type' | 'detail'> & Pick<Run, 'id'>,
  };
};
const fork = async (max_steps: number) => {
  const { status, body } = await resume({ fork: true, overrides: { training: { max_steps } } });
  expect(status, JSON.stringify(body)).toBe(201);
  return tandem.until(body.id, ended);
};

test('a checkpoint that there is not, a folder that is none and too few steps are refused at once', async () => {
  expect(await resume({ from: 'checkpoint-99' })).toMatchObject({
    status: 422,
    body: {
      detail: `${source.id} has no checkpoint checkpoint-99; GET /runs/${source.id}/checkpoints lists those there are.`,
    },
  });
  expect((await resume({ from: '../elsewhere' })).body.detail).toContain('is neither a checkpoint');
  expect((await resume({ from: `a\0b` })).body.detail).toContain('NUL character');
  const short = await resume({ overrides: { training: { max_steps: 10 } } });
  expect(short).toMatchObject({ status: 422, body: { type: 'urn:tandem:problem:invalid-spec' } });
  expect(short.body.detail).toContain(
    'training.max_steps: 10 steps are asked for, and checkpoint-15 has done 15 steps',
  );
  expect((await tandem.run(source.id)).status).toBe('succeeded');
});

test('a folder that holds no checkpoint fails the run that was to start from it, and is left alone', async () => {
  const folder = join(tandem.directory, 'notes');
  mkdirSync(folder);
  writeFileSync(join(folder, 'readme.txt'), 'mine');
  const run = await finished({ ...small.sft({ max_steps: 20 }), checkpoint: { resume_from_checkpoint: folder } });
  expect(run, run.message).toMatchObject({ status: 'failed', reason: 'invalid_checkpoint' });
  expect(run.message).toContain(folder);
  expect(run.message).toContain('Resume from another checkpoint');
  expect(readFileSync(join(folder, 'readme.txt'), 'utf8')).toBe('mine');
});

test('the newest checkpoint is damaged, the one before lacks a file: the newest good one is used, and it is said', async () => {
  const weights = objects(15, 'model/model.safetensors');
  const bytes = readFileSync(weights);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  rmSync(weights);
  writeFileSync(weights, bytes);
  rmSync(objects(10, 'optimizer.pt'));

  const run = await fork(20);
  expect(run, run.message).toMatchObject({ status: 'succeeded', progress: { step: 20 } });
  const events = await tandem.events(run.id);
  const rejected = events.filter(({ name }) => name === 'checkpoint_rejected').map(({ message }) => message);
  expect(rejected).toHaveLength(2);
  expect(rejected[0]).toMatch(/a1\/checkpoint-15 cannot be used: .*model\.safetensors/);
  expect(rejected[1]).toMatch(/a1\/checkpoint-10 cannot be used: .*optimizer\.pt/);
  const { lines } = await tandem.get<{ lines: { message: string }[] }>(
    `/runs/${run.id}/logs?component=training&tail=1000`,
  );
  const said = lines.map(({ message }) => message);
  expect(said.some((line) => line.startsWith('Checkpoint rejected: '))).toBe(true);
  expect(said.some((line) => line.startsWith('Resumed from step 5'))).toBe(true);
});

test('no checkpoint is good: the run fails with the reason of each, and what was saved is still there', async () => {
  rmSync(objects(5, 'model/model.safetensors'));
  const { status, body } = await resume({ overrides: { training: { max_steps: 30 } } });
  expect(status, JSON.stringify(body)).toBe(200);
  const run = await tandem.until(source.id, (now) => now.attempts.length === 2 && ended(now));
  expect(run, run.message).toMatchObject({ status: 'failed', reason: 'invalid_checkpoint' });
  for (const step of [15, 10, 5]) expect(run.message).toContain(`checkpoint-${step}: `);
  const kept = (await tandem.checkpoints(source.id)).map(({ step }) => step);
  expect(kept).toEqual(expect.arrayContaining([15, 10, 5]));
});
