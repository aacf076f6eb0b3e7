import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImportReport } from '../../services/contracts/checkpoint-requests.ts';
import type { Run } from '../../services/contracts/run.ts';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { goldenBase } from '../golden/hf-trainer/base.ts';
import { finalState } from '../support/final-state.ts';
import { callingPickle, copyGolden, goldenCheckpoint, writeTorchZip } from '../support/import-folders.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { ended, startTandem, type Tandem } from '../support/tandem.ts';

let tandem: Tandem;
let small: SmallRuns;
beforeAll(async () => {
  tandem = await startTandem();
  small = await makeSmallRuns(tandem);
  await makeTinyModel(join(tandem.directory, 'base'), goldenBase);
});
afterAll(() => tandem?.dispose());

const messagesOf = async (id: string): Promise<string[]> => {
  const { lines } = await tandem.get<{ lines: { message: string }[] }>(`/runs/${id}/logs?tail=1000`);
  return lines.map(({ message }) => message);
};

describe('an imported checkpoint', () => {
  test.each([
    ['lora', { use_lora: true }],
    ['full', { use_lora: false }],
  ] as const)('of the Hugging Face Trainer (%s) is resumed where it stopped, and the log says with what', async (kind, model) => {
    copyGolden(tandem, kind, `hf-${kind}`);
    const spec = {
      model: { name: 'base', max_seq_length: 64, ...model },
      data: { train_data: small.train },
      training: { max_steps: 7, learning_rate: 0.01 },
    };
    const { run: id, imported } = await tandem.post<ImportReport>('/checkpoints/import', { path: `hf-${kind}`, spec });
    expect(imported).toMatchObject([{ name: 'checkpoint-4', layout: 'hf-trainer' }]);
    expect(await tandem.run(id!)).toMatchObject({ status: 'paused', reason: 'imported', progress: { step: 4 } });

    await tandem.post(`/runs/${id}/resume`, { from: 'latest' });
    const run = await tandem.untilSucceeded(id!);
    expect(run.attempts.at(-1)).toMatchObject({ number: 2, resumed_from: `${id}/a1/checkpoint-4`, resumed_step: 4 });
    expect(await messagesOf(id!)).toEqual(
      expect.arrayContaining(['✓ Optimizer state loaded', '✓ Training state loaded:', 'Resumed from step 4, epoch 0']),
    );
    const { series } = await tandem.get<{ series: { name: string; steps: number[] }[] }>(
      `/runs/${id}/metrics?names=train/loss`,
    );
    expect(series[0]?.steps).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test('on the spot, without an import, is resumed by its path', async () => {
    cpSync(goldenCheckpoint('lora'), join(tandem.directory, 'spot'), { recursive: true });
    const run = await tandem.post<Run>('/runs', {
      ...small.sft({ max_steps: 6 }),
      model: { name: 'base', max_seq_length: 64, lora: { r: 2, alpha: 4 } },
      checkpoint: { resume_from_checkpoint: 'spot' },
    });
    await tandem.untilSucceeded(run.id);
    expect(await messagesOf(run.id)).toEqual(
      expect.arrayContaining(['✓ Optimizer state loaded', 'Resumed from step 4, epoch 0']),
    );
  });

  test('of Tandem goes on with the same bytes as the run that it was taken from', async () => {
    const straight = await tandem.untilSucceeded(
      (await tandem.post<Run>('/runs', small.sft({ max_steps: 24, save_total_limit: 4 }))).id,
    );
    const moved = join(tandem.directory, 'moved');
    cpSync(join(tandem.tree(straight), 'checkpoints/checkpoint-14'), join(moved, 'checkpoint-14'), {
      recursive: true,
      dereference: true,
    });
    const { run: id, imported } = await tandem.post<ImportReport>('/checkpoints/import', {
      path: moved,
      spec: small.sft({ max_steps: 24 }),
    });
    expect(imported).toMatchObject([{ name: 'checkpoint-14', layout: 'tandem', missing: [] }]);
    await tandem.post(`/runs/${id}/resume`, { from: 'latest' });
    await tandem.untilSucceeded(id!);
    const [ours, theirs] = [await finalState(tandem, id!), await finalState(tandem, straight.id)];
    expect(ours.files).toEqual(theirs.files);
  });

  test('is made once for each Idempotency-Key', async () => {
    cpSync(goldenCheckpoint('lora'), join(tandem.directory, 'once'), { recursive: true });
    const request = async () => {
      const response = await fetch(`${tandem.url}/checkpoints/import`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': 'import-once' },
        body: JSON.stringify({ path: 'once', spec: { model: { name: 'base' }, data: { train_data: small.train } } }),
      });
      return { status: response.status, body: (await response.json()) as ImportReport };
    };
    const [first, second] = [await request(), await request()];
    expect(first.status).toBe(201);
    expect(second).toEqual(first);
  });

  test.each([
    [
      'an optimizer that is cut off',
      'optimizer.pt',
      (file: string) => writeFileSync(file, 'PK\x05\x06'),
      /optimizer\.pt/,
    ],
    ['an optimizer that names os.system', 'optimizer.pt', spoilWithCall, /optimizer\.pt refers to "os\.system"/],
    ['a scheduler that names os.system', 'scheduler.pt', spoilWithCall, /scheduler\.pt refers to "os\.system"/],
  ])('with %s is imported as bytes; the resume refuses it by its name and runs nothing of it', async (_, name, spoil, why) => {
    const folder = `hostile-${hostile++}`;
    await spoil(join(copyGolden(tandem, 'lora', folder), name));
    const { run: id } = await tandem.post<ImportReport>('/checkpoints/import', { path: folder, spec: loraSpec() });
    await tandem.post(`/runs/${id}/resume`, { from: 'latest' });
    const run = await tandem.until(id!, ended);
    expect(run).toMatchObject({ status: 'failed', reason: 'invalid_checkpoint' });
    expect(run.message).toMatch(why);
    expect(existsSync(join(tandem.directory, 'executed'))).toBe(false);
  });

  test('whose weights announce a header of 1 GB is refused with a problem, and nothing is made', async () => {
    const header = Buffer.alloc(16);
    header.writeBigUInt64LE(10n ** 9n);
    writeFileSync(join(copyGolden(tandem, 'lora', 'large-header'), 'adapter_model.safetensors'), header);
    expect(await refusalOf('large-header')).toMatchObject({
      type: 'urn:tandem:problem:checkpoint-unusable',
      detail: expect.stringMatching(/adapter_model\.safetensors declares a header of 1000000000 bytes/),
    });
  });

  test('is not looked for in a tar file, and one in the folder is left where it is', async () => {
    const at = copyGolden(tandem, 'lora', 'archived');
    writeFileSync(join(tandem.directory, 'escaped'), 'x');
    for (const tar of [join(at, 'more.tar'), join(tandem.directory, 'alone.tar')]) {
      execFileSync('tar', ['-P', '-cf', tar, '../../escaped'], { cwd: at });
    }
    expect(await refusalOf('alone.tar')).toMatchObject({
      type: 'urn:tandem:problem:invalid-spec',
      issues: [{ path: 'path', message: expect.stringContaining('not a directory') }],
    });
    const { run, skipped } = await tandem.post<ImportReport>('/checkpoints/import', {
      path: 'archived',
      spec: loraSpec(),
    });
    expect(skipped.map(({ from }) => from)).toContainEqual(expect.stringMatching(/more\.tar$/));
    const [imported] = await tandem.checkpoints(run!);
    expect(imported?.files.map(({ path }) => path).join()).not.toMatch(/tar|escaped/);
  });
});

let hostile = 0;
const loraSpec = () => ({
  model: { name: 'base', max_seq_length: 64 },
  data: { train_data: small.train },
  training: { max_steps: 6 },
});

function spoilWithCall(file: string): Promise<void> {
  return writeTorchZip(file, callingPickle(`touch ${join(tandem.directory, 'executed')}`));
}

/** The problem that an import is answered with. */
async function refusalOf(path: string): Promise<unknown> {
  const response = await fetch(`${tandem.url}/checkpoints/import`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ path, spec: loraSpec() }),
  });
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  return response.json();
}
