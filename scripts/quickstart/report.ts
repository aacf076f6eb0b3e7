import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Client, Run } from './client.ts';
import { percent, screen } from './screen.ts';

export interface Gain {
  baseline: number;
  best: number;
  /** Percentage points. */
  points: number;
}

/** The gain of a run on the held-out problems, from its own records. */
export async function gainOf(client: Client, run: Run): Promise<Gain> {
  const evaluations = await client.evaluations(run.id);
  const baseline = evaluations.find((evaluation) => evaluation.is_baseline);
  const last = evaluations.filter((evaluation) => !evaluation.is_baseline).at(-1);
  if (!baseline || !last) throw new Error(`${run.id} has no baseline or no later evaluation`);
  return { baseline: baseline.accuracy, best: last.accuracy, points: 100 * (last.accuracy - baseline.accuracy) };
}

/** What a person wants to see at the end: summary, accuracies, tree, checkpoints and where to look. */
export async function printReport(client: Client, run: Run, gain: Gain): Promise<void> {
  const lines = await client.logs(run.id, 'component=training&tail=60');
  const summary = lines.findLast(({ message }) => message.includes('TRAINING SUMMARY'));
  for (const line of summary?.message.split('\n') ?? []) screen.line(`  ${line}`);

  screen.step('Held-out accuracy of the GRPO run');
  for (const evaluation of await client.evaluations(run.id)) {
    const label = evaluation.is_baseline ? 'baseline' : `step ${evaluation.step}`;
    screen.line(
      `  ${label.padEnd(10)} ${'█'.repeat(Math.round(evaluation.accuracy * 40)).padEnd(40, '·')} ${percent(evaluation.accuracy)}`,
    );
  }
  screen.line(`  ${gain.points >= 0 ? '+' : ''}${gain.points.toFixed(1)} points`);

  screen.step(`The run's tree: ${run.output_dir}`);
  printTree(run.output_dir, '  ');

  screen.step('Its checkpoints');
  for (const checkpoint of await client.checkpoints(run.id)) {
    screen.line(
      `  ${checkpoint.name.padEnd(20)} attempt ${checkpoint.attempt}  ${(checkpoint.size / 1024).toFixed(0).padStart(6)} KiB  ${checkpoint.aliases.join(', ')}`,
    );
  }
}

/** Directories and files, without what is inside a checkpoint. */
function printTree(directory: string, indent: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => a.name.localeCompare(b.name))) {
    if (entry.name.startsWith('.')) continue;
    screen.line(`${indent}${entry.name}${entry.isDirectory() ? '/' : ''}`);
    const path = join(directory, entry.name);
    if (entry.isDirectory() && !existsSync(join(path, 'manifest.json'))) printTree(path, `${indent}  `);
  }
}
