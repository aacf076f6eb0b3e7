import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Run } from './client.ts';
import { duration, percent, screen } from './screen.ts';

/** Statuses that a run stays in until somebody does something. */
export const ended = ['succeeded', 'failed', 'cancelled', 'paused'];

/** Shows a run's progress until it has ended or `until` says so, and answers the run as it is then. */
export async function watch(client: Client, id: string, until: (run: Run) => boolean = () => false): Promise<Run> {
  let lastTenth = -1;
  for (;;) {
    const run = await client.run(id);
    if (ended.includes(run.status) || until(run)) return run;
    const { text, tenth } = describe(run);
    screen.progress(text, tenth !== lastTenth);
    lastTenth = tenth;
    await sleep(400);
  }
}

/** A run's progress as one line, and how many tenths of it are done. */
export function describe(run: Run): { text: string; tenth: number } {
  const { progress } = run;
  // Of one that waits its turn, or for its model to be fetched, that is what there is to see.
  if (run.status === 'queued') return { text: `  queued: ${run.waiting?.why ?? run.message}`, tenth: 0 };
  if (!progress || run.status !== 'running') return { text: `  ${run.status}: ${run.message}`, tenth: 0 };
  const { evaluated } = progress;
  // An evaluation that stands for itself has no steps of its own.
  const [done, total, unit] =
    run.task === 'evaluate' && evaluated
      ? [evaluated.done, evaluated.total, 'problem']
      : [progress.step, progress.total_steps, 'step'];
  const share = total > 0 ? done / total : 0;
  const bar = '█'.repeat(Math.round(share * 24)).padEnd(24, '░');
  const eta = progress.eta_seconds === null ? '' : `  ETA ${duration(progress.eta_seconds)}`;
  const evaluation = run.latest_evaluation;
  const { phase, rollouts } = progress;
  const doing = rollouts ? `${phase}, rollouts ${rollouts.state.replaceAll('_', ' ')}` : phase;
  const accuracy = evaluation ? `  held-out accuracy ${percent(evaluation.accuracy)}` : '';
  return {
    text: `  ${bar} ${unit} ${done}/${total}${eta}  ${doing}${accuracy}`,
    tenth: Math.floor(share * 10),
  };
}
