import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { Run } from '../../services/contracts/run.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { startTandem, type Tandem } from '../support/tandem.ts';

const script = resolve(import.meta.dirname, '../../dist/scripts/train/main.js');
let tandem: Tandem;
let small: SmallRuns;

beforeAll(async () => {
  tandem = await startTandem();
  small = await makeSmallRuns(tandem);
});
afterAll(() => tandem?.dispose());

const configFile = (name: string, config: object) => {
  const path = join(tandem.directory, name);
  writeFileSync(path, stringify(config));
  return path;
};

/** Runs what train.sh runs; `watch` sees all that was printed so far, and may send signals. */
function train(args: string[], watch: (said: string, interrupt: () => void) => void = () => {}) {
  const child = spawn(process.execPath, [script, ...args], {
    cwd: tandem.directory,
    env: { PATH: process.env['PATH'] ?? '', TANDEM_URL: tandem.url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  return new Promise<{ code: number | null; said: string }>((settle) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        watch(said, () => child.kill('SIGINT'));
      });
    }
    child.once('close', (code) => settle({ code, said }));
  });
}

const newest = async () => (await tandem.get<{ runs: Run[] }>('/runs')).runs[0] as Run;

test('one command trains, shows the log while it goes, and goes on by --resume or from a named checkpoint', async () => {
  const output_dir = join(tandem.outputs, 'by-script');
  const config = configFile('sft.yaml', small.sft({ output_dir, max_steps: 8, save_steps: 4, eval_steps: 4 }));
  const nothingYet = await train(['--config', config, '--resume']);
  expect(nothingYet).toMatchObject({
    code: 1,
    said: expect.stringMatching(/--resume: there is no checkpoint in .*by-script/),
  });

  const first = await train(['--config', config]);
  expect(first.said).toMatch(/ - INFO - Checkpoint saved: checkpoint-8$/m);
  expect(first.said).toMatch(/succeeded \(completed\)/);
  expect(first.code).toBe(0);
  const run = await newest();

  const longer = configFile('longer.yaml', { training: { max_steps: 12 } });
  const second = await train(['--config', config, '--config', longer, '--resume']);
  expect(second.said).toMatch(/goes on from .*checkpoint-8$/m);
  expect(second.said).toMatch(/Resumed from step 8, epoch \d+/);
  expect(second.code).toBe(0);
  expect(await newest()).toMatchObject({ id: run.id, progress: { step: 12 } });

  const other = configFile('other.yaml', small.sft({ max_steps: 10, eval_steps: 0 }));
  const third = await train([
    '--config',
    other,
    '--resume_from_checkpoint',
    join(output_dir, 'checkpoints/checkpoint-8'),
  ]);
  expect(third.said).toMatch(/Resumed from step 8, epoch \d+/);
  expect(third.code).toBe(0);
  expect(await newest()).toMatchObject({ parent: `${run.id}/checkpoint-8`, progress: { step: 10 } });
});

test('Ctrl-C saves a checkpoint, pauses the run and says how to go on', async () => {
  const config = configFile('long.yaml', small.sft({ max_steps: 4000, eval_steps: 0, save_steps: 4000 }));
  let sent = false;
  const { code, said } = await train(['--config', config], (text, interrupt) => {
    if (sent || !/Step 10\/4000/.test(text)) return;
    sent = true;
    interrupt();
  });
  expect(said).toMatch(/saves a checkpoint and pauses/);
  expect(said).toMatch(/go on: curl -X POST http:\/\/.*\/resume/);
  expect(code).toBe(130);
  const run = await newest();
  expect(run.status).toBe('paused');
  expect((await tandem.checkpoints(run.id))[0]?.step).toBe(run.progress?.step);
});

test('a second Ctrl-C leaves at once, and the run pauses by itself', async () => {
  const config = configFile('longer-yet.yaml', small.sft({ max_steps: 4000, eval_steps: 0, save_steps: 4000 }));
  let sent = 0;
  const { code, said } = await train(['--config', config], (text, interrupt) => {
    const due = sent === 0 ? /Step 10\/4000/ : /Ctrl-C again leaves/;
    if (sent === 2 || !due.test(text)) return;
    sent += 1;
    interrupt();
  });
  expect(code).toBe(130);
  expect(said).toMatch(/left; run-\w+ saves and pauses by itself/);
  const { id } = await newest();
  await tandem.until(id, ({ status }) => status === 'paused', 50);
});

test('a run that lacks a key is refused before anything is asked or built', async () => {
  const config = configFile('gbox.yaml', { ...small.grpo(), environment: { type: 'gbox' } });
  const before = (await newest()).id;
  const { code, said } = await train(['--config', config]);
  expect(said).toMatch(/^GBOX_API_KEY is not set: /);
  expect(code).toBe(78);
  expect((await newest()).id).toBe(before);
});

test('DPO trains by one command, and leaves the training log that its scripts read', async () => {
  const output_dir = join(tandem.outputs, 'preferences');
  const { method: _, ...spec } = small.dpo({ output_dir, logging_steps: 5 });
  const { code, said } = await train(['--method', 'dpo', '--config', configFile('dpo.yaml', spec)]);
  expect(said).toMatch(/Training step \| loss=0\.\d+ \| accuracy=[\d.]+ \| reward_margin=/);
  expect(code).toBe(0);

  const log = JSON.parse(readFileSync(join(output_dir, 'training_log.json'), 'utf8'));
  const number = expect.any(Number);
  const trained = { epoch: number, loss: number, accuracy: number, reward_margin: number };
  const validated = { epoch: number, val_loss: number, val_accuracy: number, val_reward_margin: number };
  expect(log.config).toMatchObject({ batch_size: 4, learning_rate: 1e-2, beta: 0.1 });
  expect(log.train_history).toEqual([5, 10, 12].map((step) => ({ step, ...trained })));
  expect(log.val_history).toEqual([4, 8, 12].map((step) => ({ step, ...validated })));
  expect(log.best_checkpoint).toEqual({
    step: number,
    ...validated,
    path: expect.stringMatching(/preferences\/best_model$/),
  });
  expect(log.best_checkpoint.val_accuracy).toBeGreaterThan(0.9);
});

test('a control plane that is not there is said with the remedy', async () => {
  const config = configFile('any.yaml', small.sft({ max_steps: 2 }));
  const { code, said } = await train(['--config', config, '--url', 'http://127.0.0.1:9']);
  expect(said).toMatch(/no control plane answers at http:\/\/127\.0\.0\.1:9; start it/);
  expect(code).toBe(1);
});
