import { hash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TrainerRecord } from '../../../contracts/record.ts';
import type { RunStatus } from '../../../contracts/run.ts';
import { createRedactor } from '../../../platform/redaction.ts';
import { eventRecord, metricsRecord } from '../../records/record.fixtures.ts';
import { PathRefusedError } from '../../runs/path-policy.ts';
import { openSinkFixture, quietLog, RUN, type SinkFixture } from '../../sinks/sink.fixtures.ts';
import { eventFileName, frameEvent } from './event-files.ts';
import { readBoard } from './read-board.fixture.ts';
import { createTensorboardTracker } from './tensorboard.tracker.ts';
import { unframe } from './tf-record.ts';

let fixture: SinkFixture;
let status: RunStatus;
let directory: string;
const aside = () => `${fixture.tree}-aside`;
beforeEach(() => {
  fixture = openSinkFixture();
  status = 'running';
  directory = join(fixture.tree, 'tensorboard');
});
afterEach(() => fixture.close());

const tracker = (
  options: { maxBytes?: number; log_dir?: string; spec?: Parameters<SinkFixture['target']>[0] } = {},
) => {
  const monitoring = { enable_tensorboard: true, tensorboard_log_dir: options.log_dir ?? null };
  const made = createTensorboardTracker({
    target: { ...fixture.target({ ...options.spec, monitoring }), status: () => status },
    records: fixture.records.records,
    paths: {
      absolute: (written) => join(fixture.tree, '../..', written),
      writable: async (written) => {
        throw new PathRefusedError(`${written} is outside`);
      },
    },
    redactor: createRedactor({ A_KEY: 'known-secret' }),
    now: () => Date.UTC(2026, 10, 20, 12),
    log: quietLog,
    ...options,
  });
  if (made === null) throw new Error('It is turned on.');
  return made;
};
const catchUp = (options?: { maxBytes?: number }) => tracker(options).catchUp(false, new AbortController().signal);

/** One metrics record for each step, from record `n` on; its value names the attempt. */
const train = (attempt: number, n: number, from: number, to: number) =>
  fixture.records.records.ingest(
    RUN,
    attempt,
    Array.from({ length: to - from + 1 }, (_, index) => metricsRecord(n + index, from + index, { loss: attempt })),
  );
const resume = (attempt: number, from: number | null, record: number) =>
  fixture.records.records.markSuperseded(RUN, { attempt, resumedFromAttempt: from, record, step: record });
const curve = (tag = 'loss') =>
  (readBoard(directory).get(tag) ?? []).map(({ step, value }) => `${step}:${value}`).join(' ');
const files = () => {
  const names = readdirSync(directory).sort();
  return names.map((name) => `${name} ${hash('sha256', readFileSync(join(directory, name)))}`);
};

describe('the event files of a run', () => {
  it('are not written where nobody asked for them', () => {
    const target = fixture.target();
    const paths = { absolute: String, writable: async (path: string) => path };
    const { records } = fixture.records;
    expect(
      createTensorboardTracker({ target, records, paths, redactor: createRedactor({}), now: Date.now, log: quietLog }),
    ).toBeNull();
  });

  it('hold no secret of the spec, neither as a text nor as hyper-parameters', async () => {
    const reward = [{ name: 'http' as const, url: 'http://scorer:hunter22@127.0.0.1:9/?token=abcdef' }];
    const spec = { reward, labels: { note: 'known-secret', api_key: 'under its name' } };
    await train(1, 1, 1, 1);
    await tracker({ spec }).catchUp(false, new AbortController().signal);
    const bytes = readdirSync(directory)
      .map((name) => readFileSync(join(directory, name), 'latin1'))
      .join('');
    expect(bytes.split('[redacted]@127.0.0.1:9')).toHaveLength(3);
    expect(bytes).not.toMatch(/hunter22|abcdef|known-secret|under its name/);
  });

  it('hold each value at its step and time, NaN and infinity as they are', async () => {
    const values = { loss: 0.5, ratio: 'NaN', 'perf/throughput': 'Infinity' } as const;
    await fixture.records.records.ingest(RUN, 1, [metricsRecord(1, 0, values), metricsRecord(2, 1, { loss: -1e300 })]);
    await catchUp();
    expect(curve()).toBe('0:0.5 1:-Infinity');
    expect(curve('ratio')).toBe('0:NaN');
    expect(curve('perf/throughput')).toBe('0:Infinity');
    expect(readBoard(directory).get('loss')?.[1]?.wallTime).toBe(Date.UTC(2026, 10, 20, 9, 0, 2) / 1000);
  });

  it('show each step once after two resumes, from the attempt that counts', async () => {
    await train(1, 1, 1, 6);
    await catchUp();
    resume(2, 1, 4);
    await train(2, 1, 5, 8);
    await catchUp();
    expect(curve()).toBe('1:1 2:1 3:1 4:1 5:2 6:2 7:2 8:2');
    resume(3, 2, 2);
    await train(3, 1, 7, 8);
    await catchUp();
    expect(curve()).toBe('1:1 2:1 3:1 4:1 5:2 6:2 7:3 8:3');
    expect(files().length).toBe(3);
  });

  it('show each step once and in order while the clock jumps a year ahead and back', async () => {
    const at = (n: number, step: number, year: number): TrainerRecord => ({
      ...metricsRecord(n, step, { loss: year }),
      time: `${year}-11-20T09:00:00.000Z`,
    });
    await fixture.records.records.ingest(RUN, 1, [at(1, 1, 2026), at(2, 2, 2027), at(3, 3, 2025)]);
    await catchUp();
    resume(2, 1, 2);
    await fixture.records.records.ingest(RUN, 2, [at(1, 3, 2024), at(2, 4, 2026)]);
    await catchUp();
    expect(curve()).toBe('1:2026 2:2027 3:2024 4:2026');
  });

  it('show again what a later resume goes on from', async () => {
    await train(1, 1, 1, 6);
    await catchUp();
    resume(2, 1, 2);
    await train(2, 1, 3, 4);
    await catchUp();
    resume(3, 1, 5);
    await train(3, 1, 6, 7);
    await catchUp();
    expect(curve()).toBe('1:1 2:1 3:1 4:1 5:1 6:3 7:3');
  });

  it('follow a correction of where an attempt started, and a start from the beginning', async () => {
    await train(1, 1, 1, 6);
    resume(2, 1, 5);
    await catchUp();
    await fixture.records.records.ingest(RUN, 2, [eventRecord(1, 'checkpoint_rejected')]);
    await catchUp();
    expect(curve()).toBe('1:1 2:1 3:1 4:1 5:1');
    resume(2, 1, 3);
    await train(2, 2, 4, 5);
    await catchUp();
    expect(curve()).toBe('1:1 2:1 3:1 4:2 5:2');
    resume(3, null, 0);
    await train(3, 1, 1, 1);
    await catchUp();
    expect(curve()).toBe('1:3');
  });

  it('do not show an evaluation twice that was repeated behind its checkpoint', async () => {
    const evaluation = (n: number) => metricsRecord(n, 2, { 'eval/accuracy': 0.5 });
    await train(1, 1, 1, 2);
    await fixture.records.records.ingest(RUN, 1, [evaluation(3)]);
    await catchUp();
    resume(2, 1, 3);
    await fixture.records.records.ingest(RUN, 2, [evaluation(1), metricsRecord(2, 3, { loss: 2 })]);
    await catchUp();
    expect(curve('eval/accuracy')).toBe('2:0.5');
    expect(curve()).toBe('1:1 2:1 3:2');
  });

  it('say with events what happened, as text that means itself', async () => {
    const message = 'Resumed <b>from</b> checkpoint_2';
    await fixture.records.records.ingest(RUN, 1, [
      metricsRecord(1, 2, { loss: 1 }),
      eventRecord(2, 'resumed', { message, data: { step: 2 } }),
      eventRecord(3, 'best_updated'),
    ]);
    await catchUp();
    expect(readBoard(directory).get('events/resumed')?.[0]).toMatchObject({
      step: 2,
      value: 'Resumed \\<b\\>from\\</b\\> checkpoint\\_2',
    });
    expect(curve('events/best_updated')).toBe('2:best\\_updated happened');
    expect(curve('config')).toContain('| `training.learning_rate` |');
  });

  it('end the session where the run has succeeded, once', async () => {
    await train(1, 1, 1, 1);
    const ended = tracker();
    await ended.catchUp(true, new AbortController().signal);
    expect(readBoard(directory).has('_hparams_/session_end_info')).toBe(false);
    status = 'succeeded';
    for (const each of [ended, tracker()]) await each.catchUp(true, new AbortController().signal);
    expect(readBoard(directory).get('_hparams_/session_end_info')).toHaveLength(1);
  });

  it('follow one another when they become large, and are gone on in the last', async () => {
    await train(1, 1, 1, 40);
    await catchUp({ maxBytes: 9_000 });
    await train(1, 41, 41, 90);
    await catchUp({ maxBytes: 9_000 });
    expect(files().length).toBeGreaterThan(1);
    expect(curve().split(' ')).toHaveLength(90);
    const written = files();
    rmSync(directory, { recursive: true });
    await catchUp({ maxBytes: 9_000 });
    expect(files()).toEqual(written);
  });
});

describe('after a kill', () => {
  /** Within, at and around the ends of the events of the last file: which bytes of an event are lost makes no difference (`unframe`). */
  const cuts = () => {
    const last = readFileSync(join(directory, readdirSync(directory).sort().at(-1) as string));
    const ends = [0, ...unframe(last).records.map(({ end }) => end)];
    const around = ends.flatMap((end) => [end - 1, end, end + 1, end + 13]);
    return around.filter((bytes) => bytes >= 0 && bytes < last.length);
  };
  /** The files as they were when the last one had so many bytes. */
  const cutTo = (bytes: number) => {
    rmSync(directory, { recursive: true });
    cpSync(aside(), directory, { recursive: true });
    truncateSync(join(directory, readdirSync(directory).sort().at(-1) as string), bytes);
  };

  it('at any byte the files become those that they would have been', async () => {
    await train(1, 1, 1, 6);
    await catchUp();
    resume(2, 1, 4);
    await train(2, 1, 5, 8);
    await catchUp();
    const whole = files();
    cpSync(directory, aside(), { recursive: true });
    for (const bytes of cuts()) {
      cutTo(bytes);
      await catchUp();
      expect(files(), `cut to ${bytes} bytes`).toEqual(whole);
    }
  });

  it('at any byte of a repetition, followed by another resume, each step is shown once', async () => {
    await train(1, 1, 1, 6);
    await catchUp();
    resume(2, 1, 2);
    await train(2, 1, 3, 4);
    await catchUp();
    resume(3, 1, 5);
    await train(3, 1, 6, 7);
    await catchUp();
    cpSync(directory, aside(), { recursive: true });
    const everywhere = cuts();
    resume(4, 1, 4);
    await train(4, 1, 5, 5);
    for (const bytes of everywhere) {
      cutTo(bytes);
      await catchUp();
      expect(curve(), `cut to ${bytes} bytes`).toBe('1:1 2:1 3:1 4:1 5:4');
    }
  });
});

describe('its status', () => {
  it('tells where the files lie and how far they are, whoever asks', async () => {
    expect(await tracker().status()).toMatchObject({ state: 'waiting', url: directory, last_step: null, backlog: 0 });
    await train(1, 1, 1, 3);
    expect(await tracker().status()).toMatchObject({ state: 'waiting', backlog: 3 });
    await catchUp();
    const expected = { state: 'live', last_step: 3, last_record: '1:3', backlog: 0, last_error: null };
    expect(await tracker().status()).toMatchObject(expected);
    status = 'failed';
    expect(await tracker().status()).toMatchObject({ state: 'finished' });
  });

  it('tells why nothing can be written', async () => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'events.out.tfevents.1700000000.host.1.0'), '');
    await train(1, 1, 1, 3);
    const stuck = tracker();
    await expect(stuck.catchUp(false, new AbortController().signal)).rejects.toThrow('another run');
    const { state, last_error } = await stuck.status();
    expect(state).toBe('behind');
    expect(last_error?.message).toContain('choose another monitoring.tensorboard_log_dir');
    rmSync(directory, { recursive: true });
    await stuck.catchUp(false, new AbortController().signal);
    expect(curve()).toBe('1:1 2:1 3:1');
  });

  it('names a file that does not begin as its own, and writes again what it showed once it is moved away', async () => {
    await train(1, 1, 1, 3);
    mkdirSync(directory, { recursive: true });
    const path = join(directory, eventFileName(RUN, 1_700_000_000, 1));
    const told = `${path} does not begin as this control plane writes event files; move it away`;
    for (const note of ['{"axis":', '{"axis":7}']) {
      writeFileSync(path, frameEvent({ wallTime: 0, step: 0, isFirst: true, note }));
      await expect(tracker().status()).rejects.toThrow(told);
      await expect(catchUp()).rejects.toThrow(told);
    }
    rmSync(path);
    await catchUp();
    expect(curve()).toBe('1:1 2:1 3:1');
  });

  it('takes the default where a directory is refused', async () => {
    await train(1, 1, 1, 1);
    await tracker({ log_dir: '../../elsewhere' }).catchUp(false, new AbortController().signal);
    expect(existsSync(directory)).toBe(true);
    await tracker({ log_dir: 'outputs/run/boards/x' }).catchUp(false, new AbortController().signal);
    expect(readdirSync(join(fixture.tree, 'boards/x'))).toHaveLength(1);
  });
});
