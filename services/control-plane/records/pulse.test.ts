import { describe, expect, it } from 'vitest';
import type { RecordBody, TrainerRecord } from '../../contracts/record.ts';
import { feel, noPulse } from './pulse.ts';

const START = Date.parse('2026-11-20T09:00:00.000Z');
const at = (n: number, seconds: number, body: RecordBody): TrainerRecord =>
  ({ n, time: new Date(START + seconds * 1000).toISOString(), ...body }) as TrainerRecord;
const metrics = (step: number): RecordBody => ({ kind: 'metrics', step, epoch: 0, samples: step, values: {} });
const progress = (phase: 'evaluation' | 'training'): RecordBody => ({
  ...{ kind: 'progress', phase, step: 1, total_steps: 9, epoch: 0, elapsed_seconds: 1, eta_seconds: null },
});
const line: RecordBody = { kind: 'log', component: 'rollout', level: 'WARNING', message: 'The server is away' };

describe('the pulse of an attempt', () => {
  it('is the median time between steps, whatever came between two of them', () => {
    const seconds = [0, 2, 4, 6, 300, 302];
    const records = seconds.map((second, i) => at(i + 1, second, metrics(i + 1)));
    expect(feel(noPulse, records).pulse).toEqual({ beat: 6, phase: 'training', stepMs: 2000 });
  });

  it('knows no usual duration from two steps alone', () => {
    const records = [0, 1, 2].map((second, i) => at(i + 1, second, metrics(i + 1)));
    expect(feel(noPulse, records).pulse.stepMs).toBeNull();
  });

  it('beats with metrics, progress and evaluations, and not with log lines', () => {
    const beating = feel(noPulse, [at(1, 0, progress('evaluation')), at(2, 1, metrics(1))]);
    expect(beating.pulse).toMatchObject({ beat: 2, phase: 'evaluation' });
    expect(feel(beating, [at(3, 2, line), at(4, 3, line)]).pulse.beat).toBe(2);
    expect(feel(beating, [at(3, 2, line), at(4, 3, progress('training'))]).pulse).toMatchObject({
      beat: 4,
      phase: 'training',
    });
  });

  it('does not change with records that are sent twice, or when the clock of the trainer is set back', () => {
    const records = [0, 5, 10, 15, 3].map((second, i) => at(i + 1, second, metrics(i + 1)));
    const state = feel(noPulse, records);
    expect(feel(state, records)).toEqual(state);
    expect(state.pulse.stepMs).toBe(5000);
  });
});
