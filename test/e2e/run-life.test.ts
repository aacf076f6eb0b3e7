import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { ended, startTandem, type Tandem } from '../support/tandem.ts';

let tandem: Tandem;
let small: SmallRuns;

beforeAll(async () => {
  tandem = await startTandem();
  small = await makeSmallRuns(tandem);
});
afterAll(() => tandem?.dispose());

const submit = (spec: object) => tandem.post<Run>('/runs', spec);
const finish = (id: string) => tandem.untilSucceeded(id);
const messages = async (id: string, query = 'tail=10000') =>
  (await tandem.get<{ lines: { message: string }[] }>(`/runs/${id}/logs?${query}`)).lines.map(({ message }) => message);

test('a GRPO run leaves the tree, the log messages and the evaluations that users look for', async () => {
  const { id } = await submit(small.grpo({ run_baseline_eval: true, save_total_limit: 2 }));
  const run = await finish(id);

  const tree = (path: string) => readdirSync(join(tandem.tree(run), path));
  expect(tree('checkpoints').sort()).toEqual(['checkpoint-12', 'checkpoint-9']);
  for (const directory of ['checkpoints/checkpoint-12', 'best_model', 'final']) {
    expect(tree(directory)).toEqual(
      expect.arrayContaining([
        'manifest.json',
        'model',
        'model_version.txt',
        'optimizer.pt',
        'rng_state.json',
        'scheduler.pt',
        'tokenizer',
        'training_metadata.json',
        'training_state.json',
      ]),
    );
    expect(tree(join(directory, 'model'))).toEqual(
      expect.arrayContaining(['adapter_config.json', 'adapter_model.safetensors', 'config.json']),
    );
  }
  expect(tree('eval_logs')).toEqual(['eval_step_0004.json', 'eval_step_0008.json', 'eval_step_0012.json']);
  expect(JSON.parse(readFileSync(join(tandem.tree(run), 'baseline_eval.json'), 'utf8'))).toMatchObject({
    step: -1,
    is_baseline: true,
    total_samples: 16,
  });
  expect(JSON.parse(readFileSync(join(tandem.tree(run), 'training_log.json'), 'utf8'))).toMatchObject({
    config: { batch_size: 4, num_generations: 4, kl_coef: 0 },
    train_history: expect.arrayContaining([expect.objectContaining({ step: 10, reward: expect.any(Number) })]),
    val_history: [
      expect.objectContaining({ step: 4 }),
      expect.objectContaining({ step: 8 }),
      expect.objectContaining({ step: 12 }),
    ],
  });

  const said = (await messages(id)).join('\n');
  expect(said).toMatch(/^Step 10\/12 \(83\.3%\) \| elapsed 0:\d\d:\d\d \| ETA 0:\d\d:\d\d$/m);
  expect(said).toMatch(/^Collecting rollouts: 4 tasks × 4 rollouts$/m);
  expect(said).toMatch(/^Rollouts collected \| time=[\d.]+s \| success_rate=[\d.]+$/m);
  expect(said).toMatch(/^Computing GRPO advantages \| groups_kept=\d+ \| groups_filtered=\d+$/m);
  expect(said).toMatch(/^Training step \| loss=-?[\d.]+ \| policy_loss=-?[\d.]+ \| kl_loss=-?[\d.]+$/m);
  expect(said).toMatch(/^Eval step \| accuracy=[\d.]+ \| reward=[\d.]+ \| std=[\d.]+$/m);
  expect(said).toMatch(/^Checkpoint saved: checkpoint-9$/m);
  expect(said).toMatch(/Eval stats saved to: .*eval_step_0004\.json/);

  const current = readFileSync(join(tandem.tree(run), 'logs/training.log'), 'utf8')
    .trim()
    .split('\n');
  expect(current.map((line) => (JSON.parse(line) as { message: string }).message)).toContain(
    'Checkpoint saved: checkpoint-12',
  );
});

test("a run's logs are beside each other in its tree, kept in the object store and in its archive, and go with it", async () => {
  const { id } = await submit(small.grpo({ max_steps: 2, eval_steps: 0 }));
  const run = await finish(id);
  const names = ['inference.log', 'performance.log', 'rollouts.log', 'training.log'];
  // Our trainer prints nothing: what it says it records.
  const silent = 'trainer.out.log';
  const kept = join(tandem.home, 'objects/runs', id, 'logs');
  await expect.poll(() => existsSync(kept) && readdirSync(kept).sort(), { timeout: 20_000 }).toEqual(names);
  expect(readdirSync(join(tandem.tree(run), 'logs')).sort()).toEqual([...names, silent].sort());
  for (const name of names) {
    const lines = readFileSync(join(tandem.tree(run), 'logs', name), 'utf8')
      .trim()
      .split('\n');
    expect(lines.map((line) => JSON.parse(line) as object)).toContainEqual(
      expect.objectContaining({ run: id, attempt: 1, message: expect.any(String) }),
    );
    expect(readFileSync(join(kept, name), 'utf8').trim().split('\n')).toEqual(lines);
  }
  const response = await fetch(`${tandem.url}/runs/${id}/archive`);
  const listed = execFileSync('tar', ['-tz'], { input: Buffer.from(await response.arrayBuffer()) }).toString();
  for (const name of [...names, silent]) expect(listed).toContain(`${id}/logs/${name}\n`);
  await fetch(`${tandem.url}/runs/${id}`, { method: 'DELETE' });
  expect(existsSync(kept)).toBe(false);
  expect(existsSync(tandem.tree(run))).toBe(false);
});

test("the users' smoke run of one rollout learns nothing, evaluates, saves and succeeds with a warning", async () => {
  const { id } = await submit({
    ...small.grpo({ max_steps: 2, batch_size: 1, eval_steps: 1, save_steps: 1 }),
    rollout: { num_rollouts: 1, concurrency: 1, max_new_tokens: 4 },
  });
  const run = await finish(id);
  expect(run.warnings.join('\n')).toMatch(/group of one/);
  expect((await tandem.checkpoints(id)).map(({ name }) => name)).toEqual(['checkpoint-2', 'checkpoint-1']);
});

test('a paused run saves, frees its slot and goes on where it stopped', async () => {
  const paused = await submit(small.sft({ max_steps: 400, eval_steps: 0 }));
  await tandem.until(paused.id, (run) => (run.progress?.step ?? 0) > 3);
  const next = await submit(small.sft({ max_steps: 2 }));
  expect(await tandem.run(next.id)).toMatchObject({
    status: 'queued',
    waiting: { position: 1, why: expect.stringContaining(paused.id) },
  });

  await tandem.post(`/runs/${paused.id}/pause`);
  const stopped = await tandem.until(paused.id, (run) => run.status === 'paused');
  await finish(next.id);
  const saved = (await tandem.checkpoints(paused.id))[0]!;
  expect(saved.step).toBe(stopped.progress?.step);

  await tandem.post(`/runs/${paused.id}/resume`);
  await tandem.until(paused.id, (run) => run.status === 'running' && (run.progress?.step ?? 0) > saved.step);
  expect(await messages(paused.id)).toEqual(
    expect.arrayContaining([
      '✓ Optimizer state loaded',
      '✓ Training state loaded:',
      expect.stringMatching(new RegExp(`^Resumed from step ${saved.step}, epoch \\d+`)),
    ]),
  );
  await tandem.post(`/runs/${paused.id}/cancel`);
  const cancelled = await tandem.until(paused.id, ended);
  expect(cancelled).toMatchObject({ status: 'cancelled', reason: 'cancelled' });
});

test('the level of a part of a live run is changed, in its log and in its file, and training goes on', async () => {
  const { id } = await submit(small.sft({ max_steps: 2000, eval_steps: 0, logging_steps: 1 }));
  await tandem.until(id, (run) => (run.progress?.step ?? 0) > 3);
  const patient = { timeout: 30_000 };
  const setLevel = (performance_log_level: string) =>
    tandem.patch<Run>(`/runs/${id}/logging`, { performance_log_level });
  const newestOf = async () =>
    (await tandem.get<{ lines: { n: number }[] }>(`/runs/${id}/logs?component=performance&tail=1`)).lines[0]?.n ?? 0;
  const stepsOn = async (steps = 3) => {
    const from = (await tandem.run(id)).progress?.step ?? 0;
    await tandem.until(id, (run) => (run.progress?.step ?? 0) >= from + steps);
  };
  const file = join(tandem.tree(await tandem.run(id)), 'logs/performance.log');
  await expect.poll(newestOf, patient).toBeGreaterThan(0);

  expect((await setLevel('ERROR')).spec.logging.performance_log_level).toBe('ERROR');
  const sizes = async () => [await newestOf(), statSync(file).size];
  const whatComes = async () => {
    const before = await sizes();
    await stepsOn();
    return (await sizes()).map((size, index) => size - before[index]!);
  };
  await expect.poll(whatComes, patient).toEqual([0, 0]);

  const [quiet, size] = await sizes();
  await setLevel('INFO');
  await expect.poll(newestOf, patient).toBeGreaterThan(quiet!);
  await expect.poll(() => statSync(file).size, patient).toBeGreaterThan(size!);
  await tandem.post(`/runs/${id}/cancel`);
  await tandem.until(id, ended);
});

test('a damaged checkpoint is refused and the one before it is used, with the reason', async () => {
  const { id } = await submit(small.sft({ max_steps: 21, eval_steps: 0, save_steps: 7, save_total_limit: 3 }));
  const run = await finish(id);
  for (const name of ['checkpoint-21']) {
    const [file] = readdirSync(join(tandem.tree(run), 'checkpoints', name, 'model')).filter((file) =>
      file.endsWith('.safetensors'),
    );
    // the tree holds hard links to the store, so this damages the stored object as well
    appendFileSync(join(tandem.tree(run), 'checkpoints', name, 'model', file!), 'x');
  }
  await tandem.post(`/runs/${id}/resume`, { from: 'latest', overrides: { training: { max_steps: 24 } } });
  const resumed = await finish(id);
  expect(resumed.attempts.at(-1)).toMatchObject({ number: 2, resumed_step: 14 });
  const rejected = (await tandem.events(id)).find(({ name }) => name === 'checkpoint_rejected');
  expect(rejected?.message).toMatch(/checkpoint-21.*model\.safetensors/s);
});

test('a fork continues as a run of its own and names its parent', async () => {
  const grpo = small.grpo({ max_steps: 4, eval_steps: 2, save_steps: 2, run_baseline_eval: true });
  const parent = await finish((await submit(grpo)).id);
  const fork = await tandem.post<Run>(`/runs/${parent.id}/resume`, {
    from: 'checkpoint-2',
    fork: true,
    overrides: { training: { max_steps: 6 } },
  });
  expect(fork.id).not.toBe(parent.id);
  expect(fork.parent).toContain(`${parent.id}/`);
  const run = await finish(fork.id);
  expect(run.attempts[0]).toMatchObject({ resumed_step: 2 });
  expect(run.output_dir).not.toBe(parent.output_dir);
  const baselineOf = (of: Run) =>
    JSON.parse(readFileSync(join(tandem.tree(of), 'baseline_eval.json'), 'utf8')) as object;
  expect(baselineOf(run)).toEqual({ ...baselineOf(parent), run: parent.id });
  expect(await messages(run.id)).toContainEqual(expect.stringMatching(`^Baseline loaded: accuracy .* of ${parent.id}`));
  await expect(fetch(`${tandem.url}/runs/${parent.id}`, { method: 'DELETE' }).then((r) => r.status)).resolves.toBe(409);
});

test('submitting into the tree of an ended run continues it; start_fresh moves the old tree aside', async () => {
  const output_dir = join(tandem.outputs, 'again');
  const first = await finish((await submit(small.sft({ output_dir, max_steps: 8, save_steps: 4, eval_steps: 0 }))).id);
  const second = await submit(small.sft({ output_dir, max_steps: 12, save_steps: 4, eval_steps: 0 }));
  expect(second.id).toBe(first.id);
  const run = await finish(second.id);
  expect(run.attempts.at(-1)).toMatchObject({ resumed_step: 8 });
  expect((await tandem.events(first.id)).map(({ message }) => message).join('\n')).toMatch(
    /Found latest checkpoint: .*checkpoint-8/,
  );

  const fresh = await submit(small.sft({ output_dir, max_steps: 2, eval_steps: 0, start_fresh: true }));
  expect(fresh.id).not.toBe(first.id);
  await finish(fresh.id);
  expect(existsSync(`${output_dir}.${first.id}/final`)).toBe(true);
});

test('a GRPO run starts from the best model of an SFT run', async () => {
  const sft = await finish((await submit(small.sft({ max_steps: 10, eval_steps: 5 }))).id);
  const { id } = await submit({
    ...small.grpo({ max_steps: 2, eval_steps: 0 }),
    model: { name: `runs/${sft.id}/best`, max_seq_length: 64, lora: { r: 4 } },
  });
  await finish(id);
});
