import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImportReport } from '../../services/contracts/checkpoint-requests.ts';
import type { Run } from '../../services/contracts/run.ts';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { goldenBase } from '../golden/hf-trainer/base.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { startTandem, type Tandem } from '../support/tandem.ts';

const root = resolve(import.meta.dirname, '../..');
const python = process.env['TANDEM_TORCH_PYTHON'] ?? '';
const why = 'TANDEM_TORCH_PYTHON names no Python with torch, transformers and peft';

/** Both directions with the packages themselves, not with files that they once wrote. */
describe.skipIf(!existsSync(python))(`torch, transformers and PEFT (else skipped: ${why})`, () => {
  let tandem: Tandem;
  let small: SmallRuns;
  const base = () => join(tandem.directory, 'base');
  const runPython = async (...args: string[]): Promise<string> => {
    const options = {
      env: { PATH: process.env['PATH'] ?? '', HF_HUB_OFFLINE: '1', CUDA_VISIBLE_DEVICES: '' },
      maxBuffer: 2 ** 24,
    };
    return (await promisify(execFile)(python, args, options)).stdout;
  };
  beforeAll(async () => {
    tandem = await startTandem();
    small = await makeSmallRuns(tandem);
    await makeTinyModel(base(), goldenBase);
  });
  afterAll(() => tandem?.dispose());

  test.each([
    ['an adapter', { lora: { r: 4, alpha: 8 } }, 28],
    ['an adapter on weights in 4 bits', { use_4bit: true, lora: { r: 4, alpha: 8 } }, 28],
    ['full weights', { use_lora: false }, 24],
  ])('open %s that Tandem trained, and go on with its optimizer and scheduler', async (_, model, parameters) => {
    const [learning_rate, warmup_steps, max_steps, save_steps] = [2e-3, 2, 10, 6];
    const schedule = { learning_rate, warmup_steps, max_steps, lr_scheduler_type: 'linear' };
    const spec = {
      ...small.sft({ ...schedule, save_steps }),
      model: { name: 'base', max_seq_length: 64, ...model },
    };
    const run = await tandem.untilSucceeded((await tandem.post<Run>('/runs', spec)).id);
    const output = await runPython(
      join(root, 'test/support/open_in_torch.py'),
      base(),
      join(tandem.tree(run), `checkpoints/checkpoint-${save_steps}`),
      String(warmup_steps),
      String(max_steps),
    );
    const rateAfter = (step: number) =>
      expect.closeTo((learning_rate * (max_steps - step)) / (max_steps - warmup_steps), 12);
    expect(JSON.parse(output.trim().split('\n').at(-1) ?? '')).toEqual({
      weights_equal: true,
      parameters,
      misplaced_moments: [],
      // No two parameters have the same, so each place was told from the others.
      distinct_moments: parameters,
      steps: [save_steps],
      learning_rates: [rateAfter(save_steps), rateAfter(save_steps)],
      scheduler_step: save_steps + 1,
      next_learning_rate: rateAfter(save_steps + 1),
      moved: true,
      finite: true,
    });
  });

  test('save checkpoints that are imported and resumed by the trainer of Tandem', async () => {
    const made = join(tandem.directory, 'made');
    await runPython(join(root, 'test/golden/hf-trainer/make_golden.py'), base(), made);
    for (const [kind, use_lora] of [
      ['lora', true],
      ['full', false],
    ] as const) {
      const spec = {
        model: { name: 'base', max_seq_length: 64, use_lora },
        data: { train_data: small.train },
        training: { max_steps: 6 },
      };
      const { run: id } = await tandem.post<ImportReport>('/checkpoints/import', {
        path: join(made, kind, 'checkpoint-4'),
        spec,
      });
      await tandem.post(`/runs/${id}/resume`, { from: 'latest' });
      const run = await tandem.untilSucceeded(id ?? '');
      expect(run.attempts.at(-1)?.resumed_step).toBe(4);
      const { lines } = await tandem.get<{ lines: { message: string }[] }>(`/runs/${id}/logs?tail=1000`);
      expect(lines.map(({ message }) => message)).toContain('✓ Optimizer state loaded');
    }
  });
});
