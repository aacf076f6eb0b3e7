import { afterEach, beforeEach, expect, it } from 'vitest';
import { metricsRecord } from '../records/record.fixtures.ts';
import { openSinkFixture, RUN, type SinkFixture } from '../sinks/sink.fixtures.ts';
import { readRunLog } from './run-log.ts';

let fixture: SinkFixture;
beforeEach(() => {
  fixture = openSinkFixture();
});
afterEach(() => fixture.close());

const read = (signal: AbortSignal) => {
  const { spec } = fixture.target({ method: 'grpo', training: { logging_steps: 1 } });
  const services = { records: fixture.records.records, checkpoints: fixture.checkpoints.checkpoints };
  return readRunLog({ id: RUN, spec, output_dir: 'outputs/run', status: 'succeeded' }, services, signal);
};
const ingest = (steps: readonly number[]) =>
  fixture.records.records.ingest(
    RUN,
    1,
    steps.map((step, at) => metricsRecord(at + 1, step, { 'train/loss': 0.5 })),
  );

it('reads a log by its rows, however far their steps lie apart', async () => {
  const steps = [...Array.from({ length: 2100 }, (_, at) => at + 1), 1_000_000_000_000];
  await ingest(steps);
  const { train } = await read(new AbortController().signal);
  expect(train.map(({ step }) => step)).toEqual(steps);
});

it('stops reading for someone who is gone', async () => {
  await ingest([1, 2]);
  const gone = new Error('gone');
  await expect(read(AbortSignal.abort(gone))).rejects.toBe(gone);
});
