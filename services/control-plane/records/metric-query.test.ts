import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { metricsRecord, openRecords, type RecordFixture, RUN } from './record.fixtures.ts';

let fixture: RecordFixture;
beforeEach(() => {
  fixture = openRecords();
});
afterEach(() => fixture.close());

const steps = (count: number, value: (step: number) => number | 'NaN' | 'Infinity') =>
  Array.from({ length: count }, (_, index) => metricsRecord(index + 1, index + 1, { loss: value(index + 1) }));
const query = (change: object = {}) => fixture.records.metrics({ run: RUN, fromStep: 0, points: 500, ...change });

describe('metrics', () => {
  it('gives every point, by name, while there are not more than asked for', async () => {
    await fixture.records.ingest(RUN, 1, [
      metricsRecord(1, 1, { b: 1, a: 2 }),
      metricsRecord(2, 2, { b: 3 }),
      metricsRecord(3, 3, { a: 4 }),
    ]);
    expect(await query()).toEqual([
      { name: 'a', steps: [1, 3], values: [2, 4] },
      { name: 'b', steps: [1, 2], values: [1, 3] },
    ]);
    expect(await query({ names: ['b', 'none'] })).toEqual([{ name: 'b', steps: [1, 2], values: [1, 3] }]);
    expect(await query({ fromStep: 2, toStep: 2 })).toEqual([{ name: 'b', steps: [2], values: [3] }]);
  });

  it('averages more points in buckets of equal width, never more than asked for', async () => {
    await fixture.records.ingest(
      RUN,
      1,
      steps(1000, (step) => step * 2),
    );
    const [series] = await query({ points: 10 });
    expect(series?.steps).toEqual([50.5, 150.5, 250.5, 350.5, 450.5, 550.5, 650.5, 750.5, 850.5, 950.5]);
    expect(series?.values).toEqual(series?.steps.map((step) => step * 2));
    for (const points of [2, 3, 7, 999]) expect((await query({ points }))[0]?.steps.length).toBeLessThanOrEqual(points);
  });

  it('shows NaN and infinities as words, and does not average a NaN away', async () => {
    await fixture.records.ingest(RUN, 1, [
      metricsRecord(1, 1, { loss: 'NaN' }),
      metricsRecord(2, 2, { loss: 'Infinity' }),
      metricsRecord(3, 3, { loss: 1 }),
    ]);
    expect((await query())[0]?.values).toEqual(['NaN', 'Infinity', 1]);
    await fixture.records.ingest(
      RUN,
      2,
      steps(100, (step) => (step === 42 ? 'NaN' : 1)),
    );
    expect((await query({ points: 2 }))[0]?.values).toEqual(['NaN', 1]);
  });

  it('takes the later value where a step was reported twice', async () => {
    await fixture.records.ingest(RUN, 1, [metricsRecord(1, 5, { loss: 1 }), metricsRecord(2, 5, { loss: 2 })]);
    expect((await query())[0]).toEqual({ name: 'loss', steps: [5], values: [2] });
  });
});

describe('rows', () => {
  it('are counted in pages that end at a record, however far the steps lie apart', async () => {
    await fixture.records.ingest(
      RUN,
      1,
      [1, 2, 9e15].map((step, at) => metricsRecord(at + 1, step, { loss: 1 })),
    );
    const { records } = fixture;
    expect([1, 2, 3, 4].map((count) => records.stepAfterRecords(RUN, 0, count))).toEqual([1, 2, 9e15, null]);
    expect(records.stepAfterRecords(RUN, 3, 1)).toBe(9e15);
  });

  it('gives each so-manieth step of a stretch, with its epoch and samples', async () => {
    await fixture.records.ingest(
      RUN,
      1,
      steps(25, (step) => step / 10),
    );
    const rows = (every: number, fromStep: number, toStep: number) =>
      fixture.records.rows(RUN, { names: ['loss', 'other'], every, fromStep, toStep });
    expect(rows(10, 0, 99)).toEqual([
      { step: 10, epoch: 0.1, samples: 40, values: { loss: 1 } },
      { step: 20, epoch: 0.2, samples: 80, values: { loss: 2 } },
    ]);
    expect(rows(5, 11, 24).map(({ step }) => step)).toEqual([15, 20]);
  });

  it('know the last step that counts', async () => {
    await fixture.records.ingest(
      RUN,
      1,
      steps(25, () => 1),
    );
    expect(fixture.records.lastStep(RUN, ['loss', 'other'])).toBe(25);
    expect(fixture.records.lastStep(RUN, ['other'])).toBe(-1);
    fixture.records.markSuperseded(RUN, { attempt: 2, resumedFromAttempt: 1, record: 10, step: 10 });
    expect(fixture.records.lastStep(RUN, ['loss'])).toBe(10);
  });

  it('tells where training stood at a step that was not recorded', async () => {
    await fixture.records.ingest(
      RUN,
      1,
      steps(5, () => 1),
    );
    expect(fixture.records.positionAt(RUN, 99)).toEqual({ epoch: 0.05, samples: 20 });
    expect(fixture.records.positionAt(RUN, 0)).toEqual({ epoch: 0, samples: 0 });
  });
});
