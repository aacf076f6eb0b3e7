import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { type Client, createClient, type Run } from './client.ts';
import { readOptions } from './options.ts';
import { gainOf, printReport } from './report.ts';
import { duration, percent, screen } from './screen.ts';
import { type Server, startServer, stopServer } from './server.ts';
import { writeTask } from './task.ts';
import { watch } from './watch.ts';

/** Least gain on the held-out problems for which the quickstart says that it worked, in percentage points. */
const EXPECTED_GAIN = 20;
const SFT_STEPS = 1200;
const GRPO_STEPS = 160;

const began = Date.now();
const options = readOptions(process.argv.slice(2), process.env);
const home = resolve(process.env['TANDEM_HOME'] ?? '.tandem');
let server: Server | undefined;
let client: Client | undefined;

process.once('SIGINT', () => void giveUp('\nStopped; ending what was started ...', 130));
process.once('SIGTERM', () => void giveUp('Terminated; ending what was started ...', 143));
try {
  await main();
} catch (error) {
  await giveUp(`quickstart failed: ${(error as Error).message}`, 1);
}

async function main(): Promise<void> {
  screen.step('1  Starting the control plane (process runtime, file object store, SQLite)');
  server = await startServer({ home, port: options.port });
  client = createClient(server.url);
  screen.line(`  ${server.url}  log: ${server.logFile}`);

  screen.step('2  Making a tiny Qwen3 model with random weights, and a task: two-digit addition');
  const directory = join(home, 'quickstart', `seed-${options.seed}-${began}`);
  const model = join(directory, 'model');
  await makeTinyModel(model, { seed: options.seed });
  const task = writeTask(join(directory, 'data'), options.seed);
  screen.line(`  ${model}`);

  screen.step('3  SFT, full weights, on demonstrations of which 65 % forget the carry');
  const sft = await finish(await client.submit(sftSpec(model, task)));

  screen.step("4  GRPO with LoRA from that run's best model, rewarded by a verifier");
  const submitted = await client.submit(grpoSpec(`runs/${sft.id}/best`, task));
  screen.line(`  ${submitted.id}  ${submitted.output_dir}`);
  const half = await watch(client, submitted.id, (run) => (run.progress?.step ?? 0) >= GRPO_STEPS / 2);
  await killTrainer(half);
  const killed = await watch(client, submitted.id);
  screen.line(`  ${killed.status} (${killed.reason}): ${killed.message}`);

  screen.step(`5  POST /runs/${submitted.id}/resume`);
  const resumed = await client.resume(submitted.id, 'latest');
  for (const line of await restoredLines(client, resumed)) screen.line(`  ${line}`);
  const grpo = await finish(resumed);

  screen.step('6  What came of it');
  const gain = await gainOf(client, grpo);
  await printReport(client, grpo, gain);
  await conclude(grpo, gain.points);
}

/** What the trainer says that it has restored, up to `Resumed from step ...`. */
async function restoredLines(client: Client, run: Run): Promise<string[]> {
  const attempt = run.attempts.length + 1;
  for (;;) {
    const lines = (await client.logs(run.id, `attempt=${attempt}&component=training&tail=100`)).map(
      ({ message }) => message,
    );
    const last = lines.findIndex((line) => line.startsWith('Resumed from'));
    if (last >= 0) return lines.slice(0, last + 1).filter((line) => /^(✓|⚠|Resumed from|\s)/.test(line));
    await watch(client, run.id, () => true);
    await sleep(200);
  }
}

async function finish(run: Run): Promise<Run> {
  const last = await watch(client!, run.id);
  if (last.status !== 'succeeded') throw new Error(`${last.id} ${last.status} (${last.reason}): ${last.message}`);
  const accuracy = last.latest_evaluation ? `, held-out accuracy ${percent(last.latest_evaluation.accuracy)}` : '';
  screen.line(
    `  ${last.id} ${last.status} after ${duration(last.progress?.elapsed_seconds ?? 0)} of training${accuracy}`,
  );
  return last;
}

/** What a machine does to a run at the worst moment. */
async function killTrainer(run: Run): Promise<void> {
  const pid = run.attempts.at(-1)?.roles.find((role) => role.role === 'trainer')?.pid;
  if (!pid) throw new Error(`${run.id} ${run.status} (${run.reason}): ${run.message}`);
  screen.line(`  step ${run.progress?.step}: kill -9 ${pid} (the trainer)`);
  process.kill(pid, 'SIGKILL');
}

async function conclude(run: Run, points: number): Promise<void> {
  const worked = points >= EXPECTED_GAIN;
  screen.step(
    worked
      ? `It worked, in ${duration((Date.now() - began) / 1000)}.`
      : `The gain of ${points.toFixed(1)} points is below the ${EXPECTED_GAIN} expected.`,
  );
  if (options.keep) {
    screen.line(`  Swagger UI  ${server!.url}/docs`);
    screen.line(`  The run     ${server!.url}/runs/${run.id}`);
    screen.line(`  Its logs    curl '${server!.url}/runs/${run.id}/logs?tail=20' -H 'accept: text/plain'`);
    screen.line(`  Stop it     kill ${server!.process.pid}`);
    server!.process.unref();
  } else {
    await stopServer(server!);
    screen.line(`  Look around: npm start, then ${server!.url}/docs and ${server!.url}/runs/${run.id}`);
    screen.line(`  The log:     tail ${run.output_dir}/logs/training.log`);
  }
  process.exit(worked ? 0 : 1);
}

/** Ends every run and program that this script has started. */
async function giveUp(why: string, code: number): Promise<never> {
  screen.line(why);
  if (client && server) {
    const runs = await client.activeRuns().catch(() => []);
    for (const run of runs) await client.cancel(run.id).catch(() => undefined);
    for (const run of runs) await watch(client, run.id).catch(() => undefined);
    screen.line(`  The log of the control plane: ${server.logFile}`);
  }
  if (server) await stopServer(server);
  process.exit(code);
}

function sftSpec(model: string, task: ReturnType<typeof writeTask>) {
  return {
    name: 'quickstart-sft',
    method: 'sft',
    seed: options.seed,
    model: { name: model, use_lora: false, max_seq_length: 64 },
    data: { train_data: task.demonstrations, val_data: task.demonstrationsHeldOut },
    training: {
      max_steps: SFT_STEPS,
      batch_size: 32,
      learning_rate: 3e-3,
      lr_scheduler_type: 'cosine',
      warmup_steps: 20,
      eval_steps: 100,
      save_steps: 200,
      save_total_limit: 2,
    },
    rollout: { max_new_tokens: 4 },
  };
}

function grpoSpec(model: string, task: ReturnType<typeof writeTask>) {
  return {
    name: 'quickstart-grpo',
    method: 'grpo',
    seed: options.seed,
    model: { name: model, max_seq_length: 64, lora: { r: 8, alpha: 16 } },
    data: { train_data: task.problems, val_data: task.problemsHeldOut },
    reward: [{ name: 'exact' }],
    training: {
      max_steps: GRPO_STEPS,
      batch_size: 16,
      learning_rate: 4e-3,
      lr_scheduler_type: 'linear',
      eval_steps: 20,
      save_steps: 10,
      save_total_limit: 3,
      run_baseline_eval: true,
      metric_for_best_model: 'eval/accuracy',
    },
    rollout: { num_rollouts: 8, concurrency: 16, temperature: 1, max_new_tokens: 6 },
    logging: { rollout_log_level: 'WARNING' },
    // Recovery would restart it by itself; here the resume is done by hand, to be seen.
    recovery: { max_restarts: 0 },
  };
}
