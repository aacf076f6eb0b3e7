import { join } from 'node:path';
import { missingKeys } from '../../services/contracts/needed-keys.ts';
import { withEnvFile } from '../../services/platform/settings.ts';
import type { Client, Run } from '../quickstart/client.ts';
import { duration, percent, screen } from '../quickstart/screen.ts';
import { findControlPlane } from './control-plane.ts';
import { makeNamedExample, readExample, startFromExample } from './example.ts';
import { findRoot } from './find-root.ts';
import { follow } from './follow.ts';
import { readOptions, type TrainOptions, UsageError, usage } from './options.ts';
import { type Config, merge, readConfigs } from './read-config.ts';

/** sysexits.h: wrong usage, and a configuration that lacks something. */
const EXIT_USAGE = 64;
const EXIT_CONFIG = 78;
const EXIT_INTERRUPTED = 130;

const root = findRoot(import.meta.dirname);
const environment = withEnvFile(process.env, join(root, '.env'));
/** What Ctrl-C does; until a run is submitted it ends the script. */
let interrupt: () => void = () => process.exit(EXIT_INTERRUPTED);
process.on('SIGINT', () => interrupt());
process.on('SIGTERM', () => interrupt());

try {
  const options = readOptions(process.argv.slice(2), environment);
  if (options === null) console.log(usage);
  else process.exitCode = await train(options);
} catch (error) {
  screen.line(`train.sh: ${(error as Error).message}`);
  if (error instanceof UsageError) console.error(usage);
  process.exitCode = error instanceof UsageError ? EXIT_USAGE : 1;
}

async function train(options: TrainOptions): Promise<number> {
  const isExample = options.configs.length === 0 && options.method !== null;
  const config = await readConfig(options);
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
    pauseOnInterrupt(run, client);
    screen.step('3  Training (Ctrl-C saves a checkpoint and pauses; a second Ctrl-C leaves at once)');
    const last = await follow(client, run.id);
    return conclude(last, client);
  } finally {
    await cleanUp();
  }
}

async function readConfig({ configs, method, resumeFrom }: TrainOptions): Promise<Config> {
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
function pauseOnInterrupt({ id }: Run, client: Client): void {
  interrupt = () => {
    interrupt = () => {
      screen.line(`  left; ${id} saves and pauses by itself: ${client.baseUrl}/runs/${id}`);
      process.exit(EXIT_INTERRUPTED);
    };
    screen.line(`  ${id} saves a checkpoint and pauses; Ctrl-C again leaves it to itself ...`);
    client.pause(id).catch((error: unknown) => screen.line(`  it cannot be paused: ${(error as Error).message}`));
  };
}

function conclude(run: Run, { baseUrl }: Client): number {
  const { id, status, reason, message, progress, latest_evaluation: evaluation } = run;
  interrupt = () => process.exit(EXIT_INTERRUPTED);
  screen.step(`4  ${id} ${status} (${reason}): ${message}`);
  if (progress)
    screen.line(
      `  step ${progress.step}/${progress.total_steps} after ${duration(progress.elapsed_seconds)} of training`,
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
