import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Run } from '../../services/contracts/run.ts';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { atRest, startTandem, type Tandem } from '../support/tandem.ts';

const root = resolve(import.meta.dirname, '../..');
/** All problems where they are to be had, else the excerpt. */
const problems = [join(root, '../shared/data/gsm8k/test.jsonl'), join(root, 'test/golden/gsm8k/excerpt.jsonl')].find(
  existsSync,
) as string;
const hasPython = (() => {
  try {
    execFileSync('python3', ['-c', 'import resource'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

let tandem: Tandem;
beforeAll(async () => {
  tandem = await startTandem();
  await makeTinyModel(join(tandem.directory, 'data/example/model'), { seed: 1 });
  const data = join(tandem.directory, 'data/gsm8k');
  mkdirSync(data, { recursive: true });
  for (const name of ['train.jsonl', 'test.jsonl']) copyFileSync(problems, join(data, name));
});
afterAll(() => tandem.dispose());

/** The shipped config of that name, with fewer steps. */
function shipped(name: string, training: object): Record<string, unknown> {
  const config = parse(readFileSync(join(root, `scripts/configs/${name}.yaml`), 'utf8')) as Record<string, object>;
  return { ...config, training: { ...config['training'], ...training }, recovery: { max_restarts: 0 } };
}

async function linesOf(run: string): Promise<string> {
  const { lines } = await tandem.get<{ lines: { message: string }[] }>(`/runs/${run}/logs?tail=10000`);
  return lines.map(({ message }) => message).join('\n');
}

async function metricNames(run: string): Promise<string[]> {
  const log = JSON.stringify(await tandem.get(`/runs/${run}/metrics`));
  return [...new Set([...log.matchAll(/"(reward\/[\w/]+)"/g)].map(([, name]) => name as string))].sort();
}

test('GSM8K trains by SFT as the shipped config has it, with its question as the prompt', async () => {
  const config = shipped('gsm8k_sft', { max_steps: 3, eval_steps: 0, save_steps: 3, run_baseline_eval: false });
  const { id } = await tandem.post<Run>('/runs', config);
  await tandem.untilSucceeded(id);
  const lines = await linesOf(id);
  expect(lines).toMatch(/Data loaded: \d+ training, \d+ validation examples/);
  expect(lines).toMatch(/are longer than model\.max_seq_length 512: their ends are cut off/);
});

test.skipIf(!hasPython)(
  'GSM8K trains by GRPO with boxed and numeric rewards and a Python function, whose change is told on resume',
  async () => {
    const config = shipped('gsm8k_grpo', { max_steps: 2, eval_steps: 0, save_steps: 1, run_baseline_eval: false });
    const file = join(tandem.directory, 'digits.py');
    // As TRL's reward functions are written.
    writeFileSync(
      file,
      'async def digits(completions, question, **columns):\n' +
        '    assert len(question) == len(completions) == len(columns["prompts"]) and question == columns["prompts"]\n' +
        '    return [len(text.encode()) / 100 for text in completions]\n',
    );
    const reward = [...(config['reward'] as object[]), { name: 'function', function: 'digits.py:digits' }];
    const { id } = await tandem.post<Run>('/runs', { ...config, reward });
    await tandem.untilSucceeded(id);
    expect(await metricNames(id)).toEqual(
      ['boxed', 'digits', 'length', 'numeric'].flatMap((name) => [`reward/${name}/mean`, `reward/${name}/std`]),
    );

    writeFileSync(file, `${readFileSync(file, 'utf8')}# changed\n`);
    await tandem.post(`/runs/${id}/resume`, { overrides: { training: { max_steps: 3 } } });
    const failed = await tandem.until(id, atRest);
    expect(failed).toMatchObject({
      reason: 'invalid_checkpoint',
      message: expect.stringContaining('was trained from another reward function'),
    });
  },
);

test.skipIf(!hasPython)(
  'a Python reward that takes too much memory is an error of the reward, and names it',
  async () => {
    const config = shipped('gsm8k_grpo', { max_steps: 2, eval_steps: 0, save_steps: 1, run_baseline_eval: false });
    writeFileSync(
      join(tandem.directory, 'greedy.py'),
      'def greedy(completions, **columns):\n    return [len(bytearray(1 << 30)) for text in completions]\n',
    );
    const reward = [{ name: 'function', function: 'greedy.py:greedy', memory_mb: 256 }];
    const { id } = await tandem.post<Run>('/runs', { ...config, reward });
    const failed = await tandem.until(id, atRest);
    expect(failed).toMatchObject({
      reason: 'reward_error',
      message: expect.stringMatching(
        /the reward greedy\.py:greedy \(task train_\d+\): ran out of memory: its process may use 256 MiB/,
      ),
    });
  },
);
