import type { TrackerStatus } from '../../services/contracts/tracker.ts';

/** Last values of a run by metric, as its records have them at the step that W&B has come to. */
export type LastValues = Readonly<Record<string, number | string>>;

/**
 * What is wrong with what W&B holds of a run, one line each with the remedy; none when its newest row and its summary are what the records say.
 * `held` is null where W&B has no such run.
 */
export function compareWithRecords(
  status: TrackerStatus,
  held: { lastRow: Record<string, unknown> | null; summary: Record<string, unknown> } | null,
  values: LastValues,
): string[] {
  const wrong: string[] = [];
  if (status.last_error !== null) wrong.push(`W&B is ${status.state}: ${status.last_error.message}`);
  if (status.run_id === null) {
    return [...wrong, 'nothing was sent yet: the run has recorded no metrics, or see above'];
  }
  if (held === null) {
    return [
      ...wrong,
      `W&B has no run ${status.run_id} in ${status.project}: it was deleted there; a resume makes a new one`,
    ];
  }
  if (status.backlog > 0)
    wrong.push(`${status.backlog} records are not sent yet; a run under way sends every few seconds`);
  const step = held.summary['_trainer_step'] ?? held.lastRow?.['_trainer_step'];
  if (step !== status.last_step) {
    wrong.push(
      `the newest row of W&B is of step ${String(step)}, and step ${status.last_step} was sent: it may take W&B a minute, or another program writes into this W&B run`,
    );
  }
  const differing = Object.entries(values).filter(
    ([name, value]) => name in held.summary && held.summary[name] !== value,
  );
  for (const [name, value] of differing) {
    wrong.push(
      `${name} is ${String(held.summary[name])} in W&B and ${value} in the records of step ${status.last_step}`,
    );
  }
  const missing = Object.keys(values).filter((name) => !(name in held.summary));
  if (missing.length > 0)
    wrong.push(`W&B has no ${missing.join(', ')}, which the records of step ${status.last_step} have`);
  return wrong;
}
