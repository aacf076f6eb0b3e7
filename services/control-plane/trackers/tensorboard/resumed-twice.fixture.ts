import { join } from 'node:path';
import { createRedactor } from '../../../platform/redaction.ts';
import { eventRecord, metricsRecord } from '../../records/record.fixtures.ts';
import { openSinkFixture, quietLog, RUN } from '../../sinks/sink.fixtures.ts';
import { createTensorboardTracker } from './tensorboard.tracker.ts';

/** For tests: event files in `<tree>/tensorboard` of a run that was resumed twice and has succeeded; each value says of which attempt it is. */
export async function writeResumedTwice(): Promise<{ directory: string; close: () => void }> {
  const fixture = openSinkFixture();
  const { records } = fixture.records;
  const monitoring = { enable_tensorboard: true };
  const target = { ...fixture.target({ method: 'grpo', monitoring }), status: () => 'succeeded' as const };
  const paths = { absolute: String, writable: async (path: string) => path };
  // Each attempt finds the files of the one before, as a control plane does that has been started anew.
  const catchUp = async (final: boolean) => {
    const tracker = createTensorboardTracker({
      target,
      records,
      paths,
      redactor: createRedactor({}),
      now: () => Date.UTC(2026, 10, 20, 12),
      log: quietLog,
    });
    await tracker?.catchUp(final, new AbortController().signal);
  };
  const train = async (
    attempt: number,
    from: number,
    to: number,
    resumedFromAttempt: number | null,
    record: number,
  ) => {
    records.markSuperseded(RUN, { attempt, resumedFromAttempt, record, step: resumedFromAttempt && from - 1 });
    const resumed = eventRecord(1, attempt === 1 ? 'started' : 'resumed', { data: { step: from - 1 } });
    const steps = Array.from({ length: to - from + 1 }, (_, index) =>
      metricsRecord(index + 2, from + index, {
        'train/loss': attempt + (from + index) / 1000,
        'train/kl_loss': index === 0 ? 'NaN' : index,
        ...((from + index) % 5 === 0 && { 'eval/accuracy': attempt / 4 }),
      }),
    );
    await records.ingest(RUN, attempt, [resumed, ...steps]);
    await catchUp(false);
  };
  await train(1, 1, 12, null, 0);
  await train(2, 11, 23, 1, 11);
  await train(3, 21, 30, 2, 11);
  await catchUp(true);
  return { directory: join(fixture.tree, 'tensorboard'), close: fixture.close };
}
