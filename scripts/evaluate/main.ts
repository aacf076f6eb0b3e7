import type { Client, Run } from '../quickstart/client.ts';
import { screen } from '../quickstart/screen.ts';
import { findControlPlane } from '../train/control-plane.ts';
import { follow } from '../train/follow.ts';
import { readConfigs } from '../train/read-config.ts';
import { runScript, type ScriptHost } from '../train/run-script.ts';
import { type EvaluateOptions, readOptions, usage } from './options.ts';
import { renderTable } from './table.ts';

process.exitCode = await runScript({ name: 'evaluate.sh', usage, readOptions, run: evaluate });

async function evaluate(
  { request, overrides, before, url, keep }: EvaluateOptions,
  { root, environment, onInterrupt }: ScriptHost,
): Promise<number> {
  const posted = { ...request, overrides: readConfigs(overrides) };
  screen.step('1  Control plane');
  const { client, cleanUp } = await findControlPlane({ root, environment, url, keep });
  try {
    screen.step('2  Evaluating (Ctrl-C cancels)');
    // By the very settings of the checkpoint's evaluation: only the weights differ.
    const untrained = before ? { ...(await client.planEvaluation(posted)).spec, checkpoint: {}, name: 'before' } : null;
    const runs = [
      ...(untrained === null ? [] : [await untilEnded(await client.submit(untrained), client, onInterrupt)]),
      await untilEnded(await client.evaluate(posted), client, onInterrupt),
    ];
    return conclude(runs, client);
  } finally {
    await cleanUp();
  }
}

async function untilEnded(run: Run, client: Client, onInterrupt: ScriptHost['onInterrupt']): Promise<Run> {
  screen.line(`  ${run.id}  ${run.output_dir}  (${client.baseUrl}/runs/${run.id})`);
  for (const warning of run.warnings) screen.line(`  warning: ${warning}`);
  onInterrupt(() => {
    onInterrupt(null);
    client
      .cancel(run.id)
      .catch((error: unknown) => screen.line(`  it cannot be cancelled: ${(error as Error).message}`));
  });
  return await follow(client, run.id);
}

function conclude(runs: readonly Run[], { baseUrl }: Client): number {
  screen.step('3  Result');
  for (const { id, status, reason, message } of runs) {
    if (status !== 'succeeded') screen.line(`  ${id} ${status} (${reason}): ${message}`);
  }
  const measured = runs.flatMap(({ id, parent, name, latest_evaluation: evaluation }) =>
    evaluation === null ? [] : [{ title: parent ?? name ?? id, evaluation }],
  );
  for (const line of renderTable(measured)) screen.line(`  ${line}`);
  for (const { id, output_dir } of runs) screen.line(`  ${output_dir}/eval_logs/  (${baseUrl}/runs/${id}/evals)`);
  return runs.every(({ status }) => status === 'succeeded') ? 0 : 1;
}
