import { expect, it } from 'vitest';
import { RUN } from './sink.fixtures.ts';
import { createSinkMeter } from './sink-meter.ts';

const { signal } = new AbortController();

it('counts records for the sinks that are called for records, and failures for all', async () => {
  let count = 5;
  const meter = createSinkMeter({ records: { count: () => count } });
  const taken = { name: 'x', catchUp: async () => {} };
  const sinks = [
    meter.watch(RUN, 'log', { ...taken, wakesOn: ['records'] }),
    meter.watch(RUN, 'tracker', { ...taken, wakesOn: ['checkpoints'], everyMs: 5000 }),
    meter.watch(RUN, 'tree', { ...taken, wakesOn: ['checkpoints'] }),
    meter.watch(RUN, 'tree', { ...taken, wakesOn: ['checkpoints'], catchUp: () => Promise.reject(new Error('full')) }),
  ];
  const expectRead = (log: number, tracker: number, failing: number) =>
    expect(meter.read()).toEqual([
      { sink: 'log', records: log, failing: 0 },
      { sink: 'tracker', records: tracker, failing: 0 },
      { sink: 'tree', records: 0, failing },
    ]);
  expectRead(5, 5, 0);
  await Promise.allSettled(sinks.map((sink) => sink.catchUp(false, signal)));
  count = 8;
  expectRead(3, 3, 1);
});
