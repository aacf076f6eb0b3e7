import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { evaluationRecord, logRecord, metricsRecord, openRecords, type RecordFixture, RUN } from './record.fixtures.ts';
import { recordBounds } from './record-lineage.ts';

let fixture: RecordFixture;
beforeEach(() => {
  fixture = openRecords();
});
afterEach(() => fixture.close());

/** Records `from`..`to` of an attempt, one metrics record for each step, its value naming the attempt. */
const train = (attempt: number, from: number, to: number) =>
  fixture.records.ingest(
    RUN,
    attempt,
    Array.from({ length: to - from + 1 }, (_, index) => metricsRecord(index + 1, from + index, { loss: attempt })),
  );
const series = async () => (await fixture.records.metrics({ run: RUN, fromStep: 0, points: 1000 }))[0];
const attemptsByStep = async () => (await series())?.values.join('');

describe('the clean axis', () => {
  it('shows each step once after a resume, from the attempt that counts', async () => {
    await train(1, 1, 9);
    fixture.records.markSuperseded(RUN, { attempt: 2, resumedFromAttempt: 1, record: 6, step: 6 });
    expect(await attemptsByStep()).toBe('111111');
    await train(2, 7, 9);
    expect(await attemptsByStep()).toBe('111111222');
    expect((await series())?.steps).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('leaves out everything earlier when an attempt starts from the beginning', async () => {
    await train(1, 1, 5);
    fixture.records.markSuperseded(RUN, { attempt: 2, resumedFromAttempt: null, record: 0, step: null });
    await train(2, 1, 2);
    expect(await attemptsByStep()).toBe('22');
  });

  it('counts records again that a later resume continues from', async () => {
    await train(1, 1, 6);
    fixture.records.markSuperseded(RUN, { attempt: 2, resumedFromAttempt: 1, record: 4, step: 4 });
    await train(2, 5, 8);
    fixture.records.markSuperseded(RUN, { attempt: 3, resumedFromAttempt: 1, record: 2, step: 2 });
    await train(3, 3, 3);
    expect(await attemptsByStep()).toBe('113');
    fixture.records.markSuperseded(RUN, { attempt: 4, resumedFromAttempt: 2, record: 3, step: 7 });
    await train(4, 8, 9);
    expect(await attemptsByStep()).toBe('111122244');
  });

  it('follows a correction of where an attempt really started', async () => {
    await train(1, 1, 9);
    fixture.records.markSuperseded(RUN, { attempt: 2, resumedFromAttempt: 1, record: 8, step: 8 });
    fixture.records.markSuperseded(RUN, { attempt: 2, resumedFromAttempt: 1, record: 4, step: 4 });
    await train(2, 5, 6);
    expect(await attemptsByStep()).toBe('111122');
  });

  it('shows an evaluation that was repeated after a resume once, the later one', async () => {
    const evaluate = (n: number, step: number, accuracy: number) => evaluationRecord(n, step, { accuracy });
    await fixture.records.ingest(RUN, 1, [evaluate(1, -1, 0.1), evaluate(2, 10, 0.2), evaluate(3, 20, 0.3)]);
    fixture.records.markSuperseded(RUN, { attempt: 2, resumedFromAttempt: 1, record: 2, step: 10 });
    await fixture.records.ingest(RUN, 2, [evaluate(1, 10, 0.4), evaluate(2, 30, 0.5)]);
    const shown = fixture.records.evaluations(RUN).map(({ step, accuracy }) => [step, accuracy]);
    expect(shown).toEqual([
      [-1, 0.1],
      [10, 0.4],
      [30, 0.5],
    ]);
    expect(fixture.records.latestEvaluation(RUN)?.step).toBe(30);
  });

  it('keeps the baseline when training starts from the beginning again', async () => {
    await fixture.records.ingest(RUN, 1, [evaluationRecord(1, -1), evaluationRecord(2, 10)]);
    fixture.records.markSuperseded(RUN, { attempt: 2, resumedFromAttempt: null, record: 0, step: null });
    expect(fixture.records.evaluations(RUN).map(({ step }) => step)).toEqual([-1]);
    expect(fixture.records.baseline(RUN)?.is_baseline).toBe(true);
  });

  it('erases nothing: logs of a superseded stretch are still there', async () => {
    await fixture.records.ingest(RUN, 1, [logRecord(1), logRecord(2, 'why it died')]);
    fixture.records.markSuperseded(RUN, { attempt: 2, resumedFromAttempt: 1, record: 1, step: 1 });
    await fixture.records.ingest(RUN, 2, [logRecord(1)]);
    const logs = await fixture.records.logs({ run: RUN, level: 'DEBUG', tail: 10 });
    expect(logs.map(({ attempt, message }) => `${attempt} ${message}`)).toEqual([
      '1 line 1',
      '1 why it died',
      '2 line 1',
    ]);
  });
});

describe('recordBounds', () => {
  it('gives every attempt on the chain its bound and no other attempt any, whatever was resumed', () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return Math.floor((seed / 2147483648) * below);
    };
    for (let round = 0; round < 200; round++) {
      const edges = Array.from({ length: 1 + random(8) }, (_, index) => ({
        attempt: index + 1,
        parent: index === 0 || random(5) === 0 ? null : 1 + random(index),
        parent_record: random(100),
      }));
      const bounds = recordBounds(edges);
      const chain: number[] = [];
      for (let at: number | null = edges.length; at !== null; at = edges[at - 1]?.parent ?? null) chain.push(at);
      expect([...bounds.keys()]).toEqual(chain);
      expect(bounds.get(edges.length)).toBe(Number.MAX_SAFE_INTEGER);
      for (const [index, attempt] of chain.slice(1).entries()) {
        expect(bounds.get(attempt)).toBe(edges[(chain[index] as number) - 1]?.parent_record);
      }
    }
  });
});
