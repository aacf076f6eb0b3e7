import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CheckpointPurpose } from '../../contracts/checkpoint.ts';
import { resolveRunSpec } from '../../contracts/resolve-run-spec.ts';
import type { RunStatus } from '../../contracts/run.ts';
import { type Database, openDatabase } from '../../platform/database.ts';
import { openFileStore } from '../../platform/file-store.ts';
import { type AttemptStore, createAttemptStore } from '../attempts/attempt.store.ts';
import { manifestOf, quietLog } from '../checkpoints/checkpoint.fixtures.ts';
import { type CheckpointService, createCheckpointService } from '../checkpoints/checkpoint.service.ts';
import { createCheckpointIndex } from '../checkpoints/checkpoint-index.ts';
import { createEventStore } from '../events/event.store.ts';
import { migrations } from '../schema.ts';
import { neededCheckpoints } from './needed-checkpoints.ts';
import { createRunStore, type RunStore } from './run.store.ts';
import { notBegun, type RunRow, type StartFrom } from './run-row.ts';

const PARENT = 'run-aaaaaaaa';
const FORK = 'run-bbbbbbbb';
const GRANDCHILD = 'run-cccccccc';

let db: Database;
let runs: RunStore;
let attempts: AttemptStore;
let checkpoints: CheckpointService;

beforeEach(() => {
  db = openDatabase({ path: ':memory:', migrations });
  runs = createRunStore({ db });
  attempts = createAttemptStore({ db });
  const now = () => 0;
  const events = createEventStore({ db, now });
  checkpoints = createCheckpointService({
    ...{ db, attempts, events, now, sweepGraceMs: 0, log: quietLog },
    store: openFileStore(tmpdir()),
  });
  add(PARENT);
  begin(PARENT);
});
afterEach(() => db.close());

type Point = { run: string; attempt: number; step: number };
const at = (run: string, step: number, attempt = 1): Point => ({ run, attempt, step });
const from = (point: Point): StartFrom => ({ kind: 'checkpoint', ...point });

function add(
  id: string,
  { parent = null as Point | null, status = 'succeeded' as RunStatus, start = null as StartFrom | null } = {},
) {
  const resolved = resolveRunSpec({ method: 'sft', model: { name: 'm' }, data: { train_data: 'train.jsonl' } });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  const row: RunRow = {
    ...{
      id,
      name: null,
      method: 'sft',
      status,
      reason: 'completed',
      message: '',
      priority: 50,
      labels: {},
      warnings: [],
    },
    ...{
      spec: resolved.spec,
      profile: 'cpu',
      output_dir: id,
      tree: `/${id}`,
      train_data: null,
      val_data: null,
      reward_files: [],
    },
    ...{
      model_directory: '/m',
      base_adapter_directory: null,
      model_run: null,
      model_origin: null,
      model_due: 0,
      created_at: 0,
      queued_at: 0,
    },
    parent_run: parent?.run ?? null,
    parent_attempt: parent?.attempt ?? null,
    parent_step: parent?.step ?? null,
    start_from: start ?? { kind: 'latest' },
    ...notBegun,
  };
  runs.insert(row);
}
/** Opens the next attempt of a run, and ends it. */
function begin(run: string, resumed: Point | null = null, isOpen = false): void {
  const number = (attempts.current(run)?.number ?? 0) + 1;
  attempts.insert({
    ...{ run, number, opened_at: 0 },
    resumed_from: resumed === null ? null : 'there',
    resumed_run: resumed?.run ?? null,
    resumed_attempt: resumed?.attempt ?? null,
    resumed_step: resumed?.step ?? null,
  });
  if (!isOpen) attempts.update(run, number, { ended_at: 1 });
}
const save = (run: string, step: number, purposes: CheckpointPurpose[] = ['step'], attempt = 1) =>
  createCheckpointIndex({ db }).put(manifestOf(run, attempt, step, purposes));
const fork = (id: string, parent: Point) => {
  add(id, { parent });
  begin(id, parent);
};
/** The steps of the run's checkpoints that are needed, once each. */
const needed = (run = PARENT) => {
  const found = neededCheckpoints(run, { runs, checkpoints });
  expect(found.every((id) => id.run === run)).toBe(true);
  return [...new Set(found.map(({ attempt, step }) => `a${attempt}/${step}`))].sort();
};

describe('what forks have inherited', () => {
  beforeEach(() => {
    save(PARENT, 10, ['best']);
    save(PARENT, 20);
    save(PARENT, 30);
    save(PARENT, 40);
  });

  it('is needed: the latest and the best before the step that they left at, and nothing of a run without forks', () => {
    expect(needed()).toEqual([]);
    fork(FORK, at(PARENT, 30));
    expect(needed()).toEqual(['a1/10', 'a1/30']);
  });

  it('is needed before a fork has begun, too', () => {
    add(FORK, { parent: at(PARENT, 20), status: 'cancelled' });
    expect(needed()).toEqual(['a1/10', 'a1/20']);
  });

  it('is needed no more once the fork has a newer and a better one of its own, which its parent has no say in', () => {
    fork(FORK, at(PARENT, 30));
    save(FORK, 35);
    expect(needed()).toEqual(['a1/10']);
    save(FORK, 36, ['best']);
    expect(needed()).toEqual([]);
    expect(needed(FORK)).toEqual([]);
  });

  it('is needed by forks of forks, past a fork that has its own', () => {
    fork(FORK, at(PARENT, 30));
    fork(GRANDCHILD, at(PARENT, 30));
    db.run('UPDATE runs SET parent_run = :fork WHERE id = :id', { fork: FORK, id: GRANDCHILD });
    save(FORK, 50, ['step', 'best']);
    expect(needed()).toEqual(['a1/10', 'a1/30']);
    save(GRANDCHILD, 50, ['step', 'best']);
    expect(needed()).toEqual([]);
  });

  it('of a fork is needed by the fork of that fork', () => {
    fork(FORK, at(PARENT, 30));
    save(FORK, 35, ['step', 'best']);
    fork(GRANDCHILD, at(FORK, 35));
    expect([needed(), needed(FORK)]).toEqual([[], ['a1/35']]);
  });
});

describe('what runs start from', () => {
  it.each([
    ['queued', true],
    ['paused', true],
    ['failed', false],
    ['succeeded', false],
    ['cancelled', false],
  ] as const)('is needed by a run that is %s: %s', (status, isNeeded) => {
    save(PARENT, 10);
    save(PARENT, 20);
    add(FORK, { status, start: from(at(PARENT, 10)) });
    expect(needed()).toEqual(isNeeded ? ['a1/10'] : []);
    expect(needed(FORK)).toEqual([]);
  });

  it('is needed by the run itself, from whichever of its attempts', () => {
    runs.update(PARENT, { status: 'paused', start_from: from(at(PARENT, 10, 2)) });
    expect(needed()).toEqual(['a2/10']);
    runs.update(PARENT, { start_from: { kind: 'latest' } });
    expect(needed()).toEqual([]);
  });

  it('is needed by an attempt that has resumed from it, until that has ended', () => {
    add(FORK, { status: 'running', start: from(at(PARENT, 10)) });
    begin(FORK, at(PARENT, 10), true);
    expect(needed()).toEqual(['a1/10']);
    attempts.update(FORK, 1, { ended_at: 1 });
    expect(needed()).toEqual([]);
  });

  it('is nothing of another run, nor of an attempt that began from a folder or from the beginning', () => {
    add(FORK, { status: 'queued', start: { kind: 'directory', path: '/old' } });
    add(GRANDCHILD, { status: 'queued', start: from(at(FORK, 10)) });
    begin(FORK, null, true);
    expect([needed(), needed(FORK)]).toEqual([[], ['a1/10']]);
  });
});
