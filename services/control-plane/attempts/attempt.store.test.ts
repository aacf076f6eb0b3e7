import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../platform/database.ts';
import { createEventStore } from '../events/event.store.ts';
import { migrations } from '../schema.ts';
import { type AttemptStore, createAttemptStore } from './attempt.store.ts';

let db: Database;
let attempts: AttemptStore;
beforeEach(() => {
  db = openDatabase({ path: ':memory:', migrations });
  attempts = createAttemptStore({ db });
});
afterEach(() => db.close());

function addRun(id: string, parent: { run: string; attempt: number; step: number } | null = null): void {
  db.run(
    `INSERT INTO runs (id, method, status, reason, message, priority, labels, spec, warnings, profile, output_dir, tree,
       model_directory, start_from, created_at, queued_at, parent_run, parent_attempt, parent_step)
     VALUES (:id, 'sft', 'queued', 'submitted', '', 50, '{}', '{}', '[]', 'cpu', '', :id, '', '{}', 0, 0, :run, :attempt, :step)`,
    { id, run: parent?.run ?? null, attempt: parent?.attempt ?? null, step: parent?.step ?? null },
  );
}
function addAttempt(run: string, number: number, [fromRun, attempt, step]: [string?, number?, number?] = []): void {
  attempts.insert({
    run,
    number,
    opened_at: 0,
    resumed_from: fromRun === undefined ? null : `${fromRun}/a${attempt}/checkpoint-${step}`,
    resumed_run: fromRun ?? null,
    resumed_attempt: attempt ?? null,
    resumed_step: step ?? null,
  });
  attempts.update(run, number, { ended_at: 1 });
}

describe('lineage', () => {
  it('goes from the current attempt over what each one resumed from, and leaves abandoned attempts out', () => {
    addRun('run-00000001');
    addAttempt('run-00000001', 1);
    addAttempt('run-00000001', 2, ['run-00000001', 1, 40]);
    addAttempt('run-00000001', 3, ['run-00000001', 1, 20]);
    expect(attempts.lineage('run-00000001')).toEqual([
      { run: 'run-00000001', attempt: 3, upToStep: null },
      { run: 'run-00000001', attempt: 1, upToStep: 20 },
    ]);
  });

  it('goes on in the parent of a fork, also before the fork has started', () => {
    addRun('run-00000001');
    addAttempt('run-00000001', 1);
    addAttempt('run-00000001', 2, ['run-00000001', 1, 40]);
    addRun('run-00000002', { run: 'run-00000001', attempt: 2, step: 60 });
    const parents = [
      { run: 'run-00000001', attempt: 2, upToStep: 60 },
      { run: 'run-00000001', attempt: 1, upToStep: 40 },
    ];
    expect(attempts.lineage('run-00000002')).toEqual(parents);
    addAttempt('run-00000002', 1, ['run-00000001', 2, 60]);
    expect(attempts.lineage('run-00000002')).toEqual([{ run: 'run-00000002', attempt: 1, upToStep: null }, ...parents]);
  });

  it('is empty for a run that has not started', () => {
    addRun('run-00000001');
    expect(attempts.lineage('run-00000001')).toEqual([]);
  });
});

describe('attempts', () => {
  it('are open one at a time', () => {
    addRun('run-00000001');
    const open = (number: number) =>
      attempts.insert({
        run: 'run-00000001',
        number,
        opened_at: 0,
        resumed_from: null,
        resumed_run: null,
        resumed_attempt: null,
        resumed_step: null,
      });
    open(1);
    expect(() => open(2)).toThrow(/UNIQUE/);
    attempts.update('run-00000001', 1, { ended_at: 1 });
    open(2);
    expect(attempts.open('run-00000001')?.number).toBe(2);
  });
});

describe('events', () => {
  it('are numbered within their run and told to subscribers once they are committed', () => {
    addRun('run-00000001');
    addRun('run-00000002');
    const events = createEventStore({ db, now: () => 0 });
    const seen: number[] = [];
    const end = events.subscribe('run-00000001', ({ id }) => seen.push(id));
    const append = (run: string) => events.append({ run, name: 'warning', actor: 'user', message: 'x' });
    db.transaction(() => {
      append('run-00000001');
      append('run-00000002');
      append('run-00000001');
      expect(seen).toEqual([]);
    });
    expect(() =>
      db.transaction(() => {
        append('run-00000001');
        throw new Error('rolled back');
      }),
    ).toThrow('rolled back');
    end();
    append('run-00000001');
    expect(seen).toEqual([1, 2]);
    expect(events.list('run-00000001', { after: 1, limit: 10 }).map(({ id }) => id)).toEqual([2, 3]);
  });
});

it('gives a run that is being preempted time anew, and no other whose end is near', () => {
  const deadlineOf = (run: string) => attempts.get(run, 1)?.ending_deadline;
  for (const [run, reason] of [
    ['run-00000001', 'preempted'],
    ['run-00000002', 'hang'],
  ] as const) {
    addRun(run);
    addAttempt(run, 1);
    attempts.update(run, 1, { ended_at: null, ending_reason: reason, ending_deadline: 5 });
  }
  attempts.extendPreemptions(9);
  expect([deadlineOf('run-00000001'), deadlineOf('run-00000002')]).toEqual([9, 5]);
  attempts.extendPreemptions(7);
  expect(deadlineOf('run-00000001')).toBe(9);
});
