import { beforeEach, describe, expect, test } from 'vitest';
import type { Manifest } from '../../contracts/checkpoint.ts';
import type { AttemptRow } from '../attempts/attempt.store.ts';
import { manifestOf } from '../checkpoints/checkpoint.fixtures.ts';
import { requireUnused } from './checkpoint-users.ts';
import type { Dependant, RunRow } from './run-row.ts';

const SOURCE = 'run-aaaaaaaa';
const checkpoint = manifestOf(SOURCE, 1, 10);
let rows: Map<string, Partial<RunRow>>;
let dependants: (Partial<Dependant> & { of: string })[];
let open: Record<string, Partial<AttemptRow>>;
let names: Record<string, Manifest>;

beforeEach(() => {
  rows = new Map();
  dependants = [];
  open = {};
  names = {};
  put(SOURCE, { status: 'succeeded' });
});

const put = (id: string, row: Partial<RunRow>) =>
  rows.set(id, { id, start_from: { kind: 'beginning' }, spec: { model: { name: 'models/m' } } as never, ...row });
const derive = (of: string, kind: 'fork' | 'model', id: string, row: Partial<RunRow>) => {
  dependants.push({ of, kind, id });
  put(id, row);
};
const ask = () =>
  requireUnused(checkpoint, {
    runs: {
      get: (id) => rows.get(id) as RunRow | undefined,
      dependants: (id) => dependants.filter(({ of }) => of === id) as Dependant[],
    },
    attempts: { open: (id) => open[id] as AttemptRow | undefined },
    checkpoints: { resolve: (run, name) => names[`${run} ${name}`] },
  });
const from = { kind: 'checkpoint', run: SOURCE, attempt: 1, step: 10 } as const;

describe('a checkpoint is needed', () => {
  test('by the run itself when it is its latest, until it has a newer one', () => {
    names[`${SOURCE} latest`] = checkpoint;
    expect(ask).not.toThrow();
    for (const status of ['starting', 'running', 'stopping', 'paused', 'queued'] as const) {
      put(SOURCE, { status, start_from: { kind: 'latest' } });
      expect(ask).toThrow(
        `a1/checkpoint-10 of ${SOURCE} is needed: ${SOURCE} is ${status} and resumes from it, its latest; ` +
          `cancel that run first (POST /runs/${SOURCE}/cancel), or wait`,
      );
    }
    names[`${SOURCE} latest`] = manifestOf(SOURCE, 1, 20);
    expect(ask).not.toThrow();
  });

  test('by a run that was told to start from it, whatever is newer, and by no other one of its step', () => {
    names[`${SOURCE} latest`] = manifestOf(SOURCE, 1, 20);
    put(SOURCE, { status: 'queued', start_from: from });
    expect(ask).toThrow(/is queued and starts from it/);
    put(SOURCE, { status: 'queued', start_from: { ...from, attempt: 2 } });
    expect(ask).not.toThrow();
  });

  test('by an attempt that has started from it: its trainer may still be fetching', () => {
    put(SOURCE, { status: 'running' });
    open[SOURCE] = { resumed_run: SOURCE, resumed_attempt: 1, resumed_step: 10 };
    expect(ask).toThrow(/is running and has started from it/);
  });

  test('by a fork, a fork of a fork too, and no more once that has ended', () => {
    derive(SOURCE, 'fork', 'run-bbbbbbbb', { status: 'cancelled' });
    derive('run-bbbbbbbb', 'fork', 'run-cccccccc', { status: 'paused', start_from: { kind: 'latest' } });
    names['run-cccccccc latest'] = checkpoint;
    expect(ask).toThrow(/run-cccccccc is paused and resumes from it/);
    put('run-cccccccc', { status: 'failed' });
    expect(ask).not.toThrow();
  });

  test('by a run that trains it on, under the name that its spec says', () => {
    names[`${SOURCE} best`] = checkpoint;
    const spec = (name: string) => ({ model: { name } }) as RunRow['spec'];
    derive(SOURCE, 'model', 'run-dddddddd', { status: 'running', spec: spec(`runs/${SOURCE}`) });
    expect(ask).toThrow(`run-dddddddd is running and trains it on (model.name runs/${SOURCE})`);
    put('run-dddddddd', { status: 'running', spec: spec(`runs/${SOURCE}/checkpoint-20`) });
    expect(ask).not.toThrow();
    put('run-dddddddd', { status: 'succeeded', spec: spec(`runs/${SOURCE}`) });
    expect(ask).not.toThrow();
  });
});
