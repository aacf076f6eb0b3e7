import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { evaluationRecord } from '../records/record.fixtures.ts';
import { createEvaluationFilesSink } from './evaluation-files.sink.ts';
import { openSinkFixture, RUN, type SinkFixture } from './sink.fixtures.ts';

const { signal } = new AbortController();

let fixture: SinkFixture;
beforeEach(() => {
  fixture = openSinkFixture();
});
afterEach(() => fixture.close());

const sink = (parent: string | null = null) =>
  createEvaluationFilesSink({ target: fixture.target({}, { parent }), records: fixture.records.records });
const read = (path: string) => JSON.parse(readFileSync(join(fixture.tree, path), 'utf8'));

describe('evaluation files', () => {
  it('hold exactly the keys of requirement M8, rubric counts where there are any', async () => {
    const rubric = {
      attempted_answer: 9,
      avg_score: 0.7,
      avg_hits: 1.5,
      found_correct_profile: 4,
      read_correct_profile: 3,
      avg_turns: 2.5,
      avg_search_attempts: 1,
    };
    await fixture.records.records.ingest(RUN, 1, [
      evaluationRecord(1, 50, { eval_loss: 0.4 }),
      evaluationRecord(2, 12345, rubric),
    ]);
    await sink().catchUp(false, signal);
    expect(readdirSync(join(fixture.tree, 'eval_logs')).sort()).toEqual([
      'eval_step_0050.json',
      'eval_step_12345.json',
    ]);
    const basic = [
      'step',
      'is_baseline',
      'accuracy',
      'correct_answers',
      'total_samples',
      'avg_reward',
      'median_reward',
      'std_reward',
      'min_reward',
      'max_reward',
      'eval_time',
    ];
    expect(Object.keys(read('eval_logs/eval_step_0050.json'))).toEqual(basic);
    expect(Object.keys(read('eval_logs/eval_step_12345.json'))).toEqual([
      'step',
      'is_baseline',
      'accuracy',
      'correct_answers',
      'total_samples',
      'attempted_answer',
      'avg_reward',
      'median_reward',
      'std_reward',
      'min_reward',
      'max_reward',
      'avg_score',
      'avg_hits',
      'found_correct_profile',
      'read_correct_profile',
      'avg_turns',
      'avg_search_attempts',
      'eval_time',
    ]);
  });

  it('hold the baseline apart, at step -1 and with the time it was taken', async () => {
    await fixture.records.records.ingest(RUN, 1, [evaluationRecord(1, -1, { accuracy: 0.25 })]);
    await sink().catchUp(false, signal);
    expect(read('baseline_eval.json')).toMatchObject({
      step: -1,
      is_baseline: true,
      accuracy: 0.25,
      timestamp: '2026-11-20T09:00:01.000Z',
    });
    expect(existsSync(join(fixture.tree, 'eval_logs'))).toBe(false);
  });

  it("hold the parent's baseline, and whose it is, until the run has one of its own", async () => {
    const parent = 'run-bbbbbbbb';
    await fixture.records.records.ingest(parent, 1, [evaluationRecord(1, -1, { accuracy: 0.25 })]);
    const writer = sink(parent);
    await writer.catchUp(false, signal);
    expect(read('baseline_eval.json')).toMatchObject({
      ...{ step: -1, is_baseline: true, accuracy: 0.25, timestamp: '2026-11-20T09:00:01.000Z', run: parent },
    });
    await fixture.records.records.ingest(RUN, 1, [evaluationRecord(1, -1, { accuracy: 0.75 })]);
    await writer.catchUp(false, signal);
    expect(read('baseline_eval.json')).toMatchObject({ accuracy: 0.75 });
    expect(read('baseline_eval.json')).not.toHaveProperty('run');
  });

  it('follow the clean axis: what a resume left behind goes until it is evaluated again', async () => {
    await fixture.records.records.ingest(RUN, 1, [evaluationRecord(1, 10), evaluationRecord(2, 20, { accuracy: 0.2 })]);
    const writer = sink();
    await writer.catchUp(false, signal);
    fixture.records.records.markSuperseded(RUN, { attempt: 2, resumedFromAttempt: 1, record: 1, step: 10 });
    await writer.catchUp(false, signal);
    expect(readdirSync(join(fixture.tree, 'eval_logs'))).toEqual(['eval_step_0010.json']);
    await fixture.records.records.ingest(RUN, 2, [evaluationRecord(1, 20, { accuracy: 0.3 })]);
    await writer.catchUp(false, signal);
    expect(read('eval_logs/eval_step_0020.json').accuracy).toBe(0.3);
  });
});
