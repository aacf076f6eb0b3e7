import { missingKeys } from '../../services/contracts/needed-keys.ts';
import type { Client, Run } from '../quickstart/client.ts';
import { duration, percent, screen } from '../quickstart/screen.ts';
import { findControlPlane } from './control-plane.ts';
import { makeNamedExample, readExample, startFromExample } from './example.ts';
import { follow } from './follow.ts';
import { readOptions, type TrainOptions, usage } from './options.ts';
import { type Config, merge, readConfigs } from './read-config.ts';
import { EXIT_INTERRUPTED, runScript, type ScriptHost } from './run-script.ts';

/** sysexits.h: a configuration that lacks something. */
const EXIT_CONFIG = 78;

process.exitCode = await runScript({ name: 'train.sh', usage, readOptions, run: train });

async function train(options: TrainOptions, { root, environment, onInterrupt }: ScriptHost): Promise<number> {
  const isExample = options.configs.length === 0 && options.method !== null;
  const config = await readConfig(options, root);
  const missing = missingKeys(config, environment);
  if (missing.length > 0) {
    for (const line of missing) screen.line(line);
    return EXIT_CONFIG;
  }

  screen.step('1  Control plane');
  const { client, cleanUp } = await findControlPlane({ root, environment, url: options.url, keep: options.keep });
  try {
    const spec = isExample && options.method !== 'sft' ? await startFromExample(config, client) : config;
    if (options.resume) await requireCheckpoint(spec, client);
    screen.step('2  The run');
    const run = await client.submit(spec);
    tell(run, client);
    pauseOnInterrupt(run, client, onInterrupt);
    screen.step('3  Training (Ctrl-C saves a checkpoint and pauses; a second Ctrl-C leaves at once)');
    const last = await follow(client, run.id);
    onInterrupt(null);
    return conclude(last, client);
  } finally {
    await cleanUp();
  }
}

async function readConfig({ configs, method, resumeFrom }: TrainOptions, root: string): Promise<Config> {
  const written = configs.length === 0 && method !== null ? await readExample(method, root) : readConfigs(configs);
  await makeNamedExample(written, root);
  return merge(written, {
    ...(method === null ? {} : { method }),
    ...(resumeFrom === null ? {} : { checkpoint: { resume_from_checkpoint: resumeFrom } }),
  });
}

async function requireCheckpoint(spec: Config, client: Client): Promise<void> {
  const { continues, output_dir } = await client.plan(spec);
  if (continues === null) {
    throw new Error(
      `--resume: there is no checkpoint in ${output_dir}; leave --resume out to start, or set training.output_dir to the tree of the run to go on with`,
    );
  }
  screen.line(`  goes on from ${continues}`);
}

function tell(run: Run, client: Client): void {
  screen.line(`  ${run.id}  ${run.output_dir}  (${client.baseUrl}/runs/${run.id})`);
  for (const warning of run.warnings) screen.line(`  warning: ${warning}`);
}

/** Once: save and pause, then the script ends with the run. Twice: the script ends, and the run pauses by itself. */
function pauseOnInterrupt({ id }: Run, client: Client, onInterrupt: ScriptHost['onInterrupt']): void {
  onInterrupt(() => {
    onInterrupt(() => {
      screen.line(`  left; ${id} saves and pauses by itself: ${client.baseUrl}/runs/${id}`);
      process.exit(EXIT_INTERRUPTED);
    });
    screen.line(`  ${id} saves a checkpoint and pauses; Ctrl-C again leaves it to itself ...`);
    client.pause(id).catch((error: unknown) => screen.line(`  it cannot be paused: ${(error as Error).message}`));
  });
}

function conclude(run: Run, { baseUrl }: Client): number {
  const { id, status, reason, message, progress, latest_evaluation: evaluation } = run;
  screen.step(`4  ${id} ${status} (${reason}): ${message}`);
  const engine = run.attempts.at(-1)?.engine;
  const on = engine ? ` on the engine ${engine.name}${engine.reason === null ? '' : ` (${engine.reason})`}` : '';
  if (progress)
    screen.line(
      `  step ${progress.step}/${progress.total_steps} after ${duration(progress.elapsed_seconds)} of training${on}`,
    );
  if (evaluation) screen.line(`  held-out accuracy ${percent(evaluation.accuracy)} at step ${evaluation.step}`);
  screen.line(`  ${run.output_dir}: logs/training.log, checkpoints/, best_model/, final/`);
  if (status === 'paused') {
    screen.line(
      `  go on: curl -X POST ${baseUrl}/runs/${id}/resume, or the same command once more when the config names its output_dir`,
    );
    return EXIT_INTERRUPTED;
  }
  return status === 'succeeded' ? 0 : 1;
}
