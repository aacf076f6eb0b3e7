import { afterEach, beforeEach, expect, it } from 'vitest';
import { type TrackerStatus, trackerStatusSchema } from '../../contracts/tracker.ts';
import { openDatabase } from '../../platform/database.ts';
import { logRecord } from '../records/record.fixtures.ts';
import { openSinkFixture, quietLog, RUN, type SinkFixture } from '../sinks/sink.fixtures.ts';
import { createSinkMeter } from '../sinks/sink-meter.ts';
import { trackerTables } from './tracker.tables.ts';
import type { Tracker } from './tracker.ts';
import { createTrackers } from './trackers.ts';

let fixture: SinkFixture;
const db = openDatabase({ path: ':memory:', migrations: [trackerTables] });
beforeEach(() => {
  fixture = openSinkFixture();
  db.run('DELETE FROM trackers_owed', {});
  waits = [];
  errors = [];
});
afterEach(() => fixture.close());

/** A tracker that counts calls and does what it is told. */
function scripted(remote: boolean, catchUp: Tracker['catchUp']): Tracker {
  return {
    kind: remote ? 'wandb' : 'tensorboard',
    name: remote ? 'server' : 'file',
    remote,
    wakesOn: ['records'],
    catchUp,
    status: async () => ({ kind: 'wandb' }) as TrackerStatus,
  };
}
let waits: number[] = [];
let errors: string[] = [];
const open = (...made: Tracker[]) =>
  createTrackers({
    db,
    records: fixture.records.records,
    checkpoints: fixture.checkpoints.checkpoints,
    meter: createSinkMeter({ records: fixture.records.records }),
    factories: made.map((tracker) => () => tracker),
    now: () => 0,
    log: { ...quietLog, error: (_message, fields) => void errors.push(String((fields?.['error'] as Error).message)) },
    wait: (ms) => {
      waits.push(ms);
      return new Promise((resolve) => setImmediate(resolve));
    },
  });
const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
};
const hang = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });

it('a server that hangs delays neither records nor the end of a run, and is owed the rest', async () => {
  const finals: boolean[] = [];
  const trackers = open(
    scripted(true, (_final, signal) => hang(signal)),
    scripted(false, async (final) => void finals.push(final)),
  );
  trackers.open(fixture.target());
  expect(await fixture.records.records.ingest(RUN, 1, [logRecord(1)])).toBe(1);
  expect(await trackers.finish(RUN, new AbortController().signal)).toBe(true);
  expect(finals.at(-1)).toBe(true);
  expect(trackers.owed()).toEqual([RUN]);
  await trackers.close();
  expect(trackers.owed()).toEqual([RUN]);
});

it('what is owed is sent by the next process, until the server takes it', async () => {
  const first = open(scripted(true, (_final, signal) => hang(signal)));
  first.open(fixture.target());
  await first.finish(RUN, new AbortController().signal);
  await first.close();
  let finals = 0;
  const second = open(
    scripted(true, async (final) => {
      if (final && ++finals < 3) throw new Error('503');
    }),
  );
  second.settle(fixture.target());
  await until(() => second.owed().length === 0);
  expect(finals).toBe(3);
});

it('a full disk that keeps it from being noted what is owed stops no tracker, and the run ends once it is noted', async () => {
  let calls = 0;
  const trackers = open(
    scripted(true, async (final, signal) => {
      calls += 1;
      if (final) await hang(signal);
    }),
  );
  db.run(
    "CREATE TEMP TRIGGER full BEFORE INSERT ON trackers_owed BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END",
    {},
  );
  try {
    trackers.open(fixture.target());
    await until(() => calls === 1);
    expect(await trackers.finish(RUN, new AbortController().signal)).toBe(false);
    expect(errors).toEqual([expect.stringContaining('disk is full'), expect.stringContaining('disk is full')]);
  } finally {
    db.run('DROP TRIGGER full', {});
  }
  trackers.open(fixture.target());
  expect(await trackers.finish(RUN, new AbortController().signal)).toBe(true);
  expect(trackers.owed()).toEqual([RUN]);
  await trackers.close();
});

it('of a run that is opened again, or deleted, the loop before has ended first', async () => {
  let inside = 0;
  let most = 0;
  const trackers = open(
    scripted(true, async (_final, signal) => {
      most = Math.max(most, ++inside);
      await hang(signal).catch(() => {});
      inside -= 1;
    }),
  );
  trackers.open(fixture.target());
  await until(() => inside === 1);
  await trackers.finish(RUN, new AbortController().signal);
  trackers.open(fixture.target());
  await until(() => inside === 1);
  await trackers.forget(RUN);
  expect({ inside, most, owed: trackers.owed() }).toEqual({ inside: 0, most: 1, owed: [] });
});

it('tells of runs whether they go on or have ended, and of none where nothing is turned on', async () => {
  const trackers = open(scripted(true, async () => {}));
  expect(await trackers.status(fixture.target())).toEqual([{ kind: 'wandb' }]);
  trackers.open(fixture.target());
  expect(await trackers.status(fixture.target())).toEqual([{ kind: 'wandb' }]);
  await trackers.close();
  expect(await open().status(fixture.target())).toEqual([]);
});

it('tells of a tracker whose files cannot be read what helps, and of the others as ever', async () => {
  const unreadable = Object.assign(new Error("EACCES: permission denied, scandir '/outputs/run/tensorboard'"), {
    syscall: 'scandir',
  });
  const broken = { ...scripted(false, async () => {}), status: () => Promise.reject(unreadable) };
  const trackers = open(
    broken,
    scripted(true, async () => {}),
  );
  await fixture.records.records.ingest(RUN, 1, [logRecord(1)]);
  const [first, second] = await trackers.status(fixture.target());
  expect(trackerStatusSchema.parse(first)).toMatchObject({
    kind: 'tensorboard',
    state: 'behind',
    backlog: 1,
    last_error: { message: expect.stringMatching(/scandir '\/outputs\/run\/tensorboard'; make it readable/) },
  });
  expect(second).toEqual({ kind: 'wandb' });
});

it('a run is opened again only when the final writing of its files has ended, whatever they make of a signal', async () => {
  let inside = 0;
  let most = 0;
  let release = () => {};
  const trackers = open(
    scripted(false, async (final) => {
      most = Math.max(most, ++inside);
      if (final) await new Promise<void>((resolve) => (release = resolve));
      inside -= 1;
    }),
  );
  trackers.open(fixture.target());
  await until(() => inside === 0 && most === 1);
  const ending = trackers.finish(RUN, new AbortController().signal);
  await until(() => inside === 1);
  trackers.open(fixture.target());
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(most).toBe(1);
  release();
  await ending;
  await trackers.forget(RUN);
  expect({ inside, most }).toEqual({ inside: 0, most: 1 });
});

it('a database that cannot note that all is sent costs the process nothing, and the run stays owed', async () => {
  const trackers = open(scripted(true, async () => {}));
  trackers.open(fixture.target());
  db.run(
    "CREATE TEMP TRIGGER full BEFORE DELETE ON trackers_owed BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END",
    {},
  );
  try {
    await trackers.finish(RUN, new AbortController().signal);
    await until(() => errors.length > 0);
    expect(errors).toEqual([expect.stringContaining('disk is full')]);
    trackers.open(fixture.target());
    await trackers.close();
    expect(trackers.owed()).toEqual([RUN]);
  } finally {
    db.run('DROP TRIGGER full', {});
  }
});

it('a server that refuses is asked again when its error says so, and the log is told once', async () => {
  let finals = 0;
  const refused = Object.assign(new Error('it does not know the key'), { holdMs: 900_000 });
  const trackers = open(
    scripted(true, async (final) => {
      if (final && ++finals < 4) throw finals < 3 ? refused : new Error('503');
    }),
  );
  trackers.open(fixture.target());
  await trackers.finish(RUN, new AbortController().signal);
  await until(() => trackers.owed().length === 0);
  expect(waits).toEqual([900_000, 900_000, 4000]);
  expect(errors).toEqual(['it does not know the key', '503']);
});

it('one that is ended, for whatever reason, gives back what it keeps from others', async () => {
  let closed = 0;
  const trackers = open({ ...scripted(true, (_final, signal) => hang(signal)), close: () => void closed++ });
  trackers.open(fixture.target());
  await trackers.finish(RUN, new AbortController().signal);
  expect(closed).toBe(0);
  await trackers.forget(RUN);
  expect(closed).toBe(1);
  trackers.open(fixture.target());
  await trackers.close();
  expect(closed).toBe(2);
});
