import { cpSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImportReport } from '../../services/contracts/checkpoint-requests.ts';
import type { Run } from '../../services/contracts/run.ts';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { goldenBase } from '../golden/hf-trainer/base.ts';
import { finalState } from '../support/final-state.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { startTandem, type Tandem } from '../support/tandem.ts';

const golden = (name: string) => resolve(import.meta.dirname, '../golden/hf-trainer', name);

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
  ])('of the Hugging Face Trainer (%s) is resumed where it stopped, and the log says with what', async (kind, model) => {
    cpSync(golden(`${kind}/checkpoint-4`), join(tandem.directory, `hf-${kind}`, 'checkpoint-4'), { recursive: true });
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
    cpSync(golden('lora/checkpoint-4'), join(tandem.directory, 'spot'), { recursive: true });
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
    cpSync(golden('lora/checkpoint-4'), join(tandem.directory, 'once'), { recursive: true });
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

  test('with a damaged optimizer is imported as bytes, and refused by the trainer by its name', async () => {
    const at = join(tandem.directory, 'hostile/checkpoint-4');
    cpSync(golden('lora/checkpoint-4'), at, { recursive: true });
    writeFileSync(join(at, 'optimizer.pt'), 'PK\x05\x06');
    const spec = {
      model: { name: 'base', max_seq_length: 64 },
      data: { train_data: small.train },
      training: { max_steps: 6 },
    };
    const { run: id } = await tandem.post<ImportReport>('/checkpoints/import', { path: 'hostile', spec });
    await tandem.post(`/runs/${id}/resume`, { from: 'latest' });
    const run = await tandem.until(id!, ({ status }) => status === 'failed' || status === 'succeeded');
    expect(run).toMatchObject({ status: 'failed', reason: 'invalid_checkpoint' });
    expect(run.message).toContain('optimizer.pt');
  });
});
