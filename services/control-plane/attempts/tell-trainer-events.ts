import type { EventName } from '../../contracts/event.ts';
import { type Reason, reasonSchema } from '../../contracts/reason.ts';
import type { EventRecord, TrainerRecord } from '../../contracts/record.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import type { EventStore } from '../events/event.store.ts';
import type { RecordService } from '../records/record.service.ts';
import type { RecordBatch } from '../records/record-types.ts';
import type { AttemptStore } from './attempt.store.ts';
import { attemptCandidates, resumedFrom, resumePoint } from './start-point.ts';

/** Trainer events that are events of the run as well; how an attempt ends is told when its program has ended. */
const told: readonly EventName[] = ['resumed', 'checkpoint_rejected', 'save_failed', 'best_updated'];

/**
 * Writes what records tell about a run into its events. Runs in the transaction that indexes the records, so each is told once.
 */
export function tellTrainerEvents({
  events,
  attempts,
  checkpoints,
  markSuperseded,
}: {
  events: Pick<EventStore, 'append'>;
  attempts: Pick<AttemptStore, 'get' | 'update'>;
  checkpoints: () => Pick<CheckpointService, 'candidates'>;
  markSuperseded: () => RecordService['markSuperseded'];
}): (batch: RecordBatch) => void {
  const correctStart = (run: string, attempt: number, record: EventRecord) => {
    const row = attempts.get(run, attempt);
    const label = record.data?.['checkpoint'];
    if (row === undefined || typeof label !== 'string' || label === row.resumed_from) return;
    // The first choice did not verify, and the trainer started from an older one.
    const candidate = attemptCandidates(row, checkpoints()).find((each) => each.label === label);
    if (candidate === undefined) return;
    attempts.update(run, attempt, { ...resumedFrom(candidate) });
    markSuperseded()(run, resumePoint(run, attempt, candidate));
  };

  const tell = (run: string, attempt: number, record: TrainerRecord) => {
    const base = { run, attempt, actor: 'trainer' } as const;
    if (record.kind === 'evaluation') {
      const { step, is_baseline, accuracy, avg_reward, eval_loss } = record.evaluation;
      const result =
        eval_loss === undefined ? `average reward ${avg_reward.toFixed(3)}` : `eval_loss ${eval_loss.toFixed(4)}`;
      const what = is_baseline ? 'Baseline' : `Evaluation at step ${step}`;
      events.append({
        ...base,
        name: 'evaluated',
        message: `${what}: accuracy ${accuracy.toFixed(3)}, ${result}`,
        data: { step, is_baseline, accuracy, avg_reward },
      });
    }
    if (record.kind !== 'event') return;
    const name = told.find((each) => each === record.name);
    if (name === undefined) return;
    if (name === 'resumed') correctStart(run, attempt, record);
    const { message, remedy } = record;
    const data = remedy === undefined ? record.data : { ...record.data, remedy };
    events.append({ ...base, name, reason: reasonOf(record), message, data: data ?? {} });
  };

  return ({ run, attempt, records }) => {
    // Record files of a run that was deleted have nobody to tell it to.
    if (attempts.get(run, attempt) === undefined) return;
    for (const record of records) tell(run, attempt, record);
  };
}

/** A trainer of another version may name one that is not known here. */
function reasonOf({ reason }: EventRecord): Reason | null {
  const parsed = reasonSchema.safeParse(reason);
  return parsed.success ? parsed.data : null;
}
