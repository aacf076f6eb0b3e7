import { mkdtemp, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogFrame } from './demultiplex.ts';
import { DockerError } from './docker-error.ts';
import type { FollowLogs } from './follow-logs.ts';
import { createOutputCollector, type OutputCollector } from './output-collector.ts';

/** A log as the daemon keeps it: in the order it was written, which is not quite that of its times. */
interface Entry {
  time: string;
  text: string;
}

/** A time `us` microseconds after a fixed moment. */
const at = (us: number) =>
  `2026-01-31T10:20:${String(30 + us / 1e6).slice(0, 2)}.${String(us % 1e6).padStart(6, '0')}789Z`;

/** Both of Docker's ways to read from a time: 20.10 looks at every line, newer ones only for the first that is not before it. */
const ways = {
  'every line': (log: Entry[], since: string) => log.filter(({ time }) => time >= since),
  'the first line': (log: Entry[], since: string) => {
    const first = log.findIndex(({ time }) => time >= since);
    return first < 0 ? [] : log.slice(first);
  },
};

let directory: string;
let path: string;
let clock: number;
let open: OutputCollector[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'collector-'));
  path = join(directory, 'run', 'role.log');
  clock = 0;
});
afterEach(async () => {
  await Promise.all(open.map((collector) => collector.close()));
  open = [];
  await rm(directory, { recursive: true, force: true });
});

/** A daemon whose log can be read so far; a follower breaks off after `cut` lines, and ends at the end of the log otherwise. */
function daemon(log: Entry[], way: keyof typeof ways, chunkOf = 7) {
  const asked: FollowLogs[] = [];
  const state = { cut: Number.POSITIVE_INFINITY, asked, error: null as Error | null };
  async function* followLogs(options: FollowLogs): AsyncGenerator<LogFrame[], void, undefined> {
    asked.push(options);
    if (state.error !== null) throw state.error;
    const { since, follow } = options;
    const lines = since === undefined ? log : ways[way](log, since);
    const given = follow === false ? lines : lines.slice(0, state.cut);
    for (let from = 0; from < given.length; from += chunkOf) {
      clock += 700;
      yield given
        .slice(from, from + chunkOf)
        .map(({ time, text }) => ({ stream: 'stdout', payload: Buffer.from(`${time} ${text}`) }));
    }
    if (follow !== false && given.length < lines.length) throw new DockerError('unreachable', 'cut');
  }
  const collector = (limits = { head: 1 << 20, tail: 1 << 20, max: 8 << 20 }) => {
    const made = createOutputCollector({ followLogs, tell: () => undefined, limits, now: () => clock });
    open.push(made);
    return made;
  };
  return { collector, state };
}

async function follow(collector: OutputCollector): Promise<void> {
  collector.follow('c', path);
  // The daemon below heeds no signal: the follower comes to its own end.
  await collector.close();
}

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe.each(Object.keys(ways) as (keyof typeof ways)[])('a collector whose daemon filters by time at %s', (way) => {
  it('copies each line once, however often it is killed, with times that are equal or out of order', async () => {
    for (let seed = 1; seed <= 15; seed += 1) {
      const next = random(seed);
      let us = 0;
      const log = Array.from({ length: 40 + Math.floor(next() * 300) }, (_, line) => {
        us += Math.floor(next() * 3) * 100_000 * next();
        const time = at(Math.floor(us - (next() < 0.1 ? next() * 50 : 0)) + 100);
        return { time, text: `${line} ${'x'.repeat(next() * 30)}${next() < 0.05 ? '' : '\n'}` };
      });
      const { collector, state } = daemon(log, way);
      const wanted = log.map(({ text }) => text).join('');
      await rm(join(directory, 'run'), { recursive: true, force: true });
      while (next() < 0.9) {
        state.cut = Math.floor(next() * log.length);
        await follow(collector());
        const copied = await readFile(path, 'utf8');
        expect(wanted.startsWith(copied), `seed ${seed}`).toBe(true);
      }
      const last = collector();
      await last.finish('c', path);
      expect(await readFile(path, 'utf8'), `seed ${seed}`).toBe(wanted);
    }
  });
});

describe('a collector', () => {
  const lines = (count: number) =>
    Array.from({ length: count }, (_, line) => ({ time: at(line), text: `line ${line}\n` }));

  it('asks again only for what came after its cursor, not for all of a long log', async () => {
    const { collector, state } = daemon(lines(2000), 'every line', 10);
    state.cut = 1500;
    await follow(collector());
    await collector().finish('c', path);
    expect(state.asked[0]?.since).toBeUndefined();
    expect((state.asked[1]?.since ?? '') > at(1300)).toBe(true);
    expect((await readFile(path, 'utf8')).split('\n')).toHaveLength(2001);
  });

  it('reads all anew when its file is shorter than its cursor says', async () => {
    const { collector, state } = daemon(lines(2000), 'every line', 10);
    await follow(collector());
    await truncate(path, 10);
    await collector().finish('c', path);
    expect(state.asked[1]?.since).toBeUndefined();
    expect(await readFile(path, 'utf8')).toBe(
      lines(2000)
        .map(({ text }) => text)
        .join(''),
    );
  });

  it('reads all anew after the clock was set back, because no time divides the log any more', async () => {
    const log = [...lines(1000).map(({ text }, us) => ({ time: at(5_000_000 + us), text })), ...lines(1000)];
    const { collector, state } = daemon(log, 'every line', 10);
    state.cut = 1500;
    await follow(collector());
    await collector().finish('c', path);
    expect(state.asked[1]?.since).toBeUndefined();
    expect(await readFile(path, 'utf8')).toBe(log.map(({ text }) => text).join(''));
  });

  it('keeps the first and the last lines of endless output, and takes no more of the disk meanwhile', async () => {
    const log = lines(60_000).map(({ time }, line) => ({ time, text: `${String(line).padStart(99)}\n` }));
    const limits = { head: 100_000, tail: 100_000, max: 1_000_000 };
    const { collector, state } = daemon(log, 'every line', 1000);
    state.cut = 50_000;
    await follow(collector(limits));
    expect((await stat(path)).blocks * 512).toBeLessThan(2_500_000);
    await collector(limits).finish('c', path);
    const kept = (await readFile(path, 'utf8')).split('\n');
    expect(kept[0]?.trim()).toBe('0');
    expect(kept.at(-2)?.trim()).toBe('59999');
    expect(kept.join('\n').length).toBeLessThan(201_000);
    expect(kept.filter((line) => line.includes('left out'))).toHaveLength(1);
  });

  it('finishes once, and leaves the file of a container that is gone as it is', async () => {
    const { collector, state } = daemon(lines(100), 'every line');
    await follow(collector());
    state.error = new DockerError('not_found', 'gone');
    await collector().finish('c', path);
    await collector().finish('c', path);
    expect(state.asked).toHaveLength(2);
    expect((await readFile(path, 'utf8')).split('\n')).toHaveLength(101);
  });

  it('does not count as finished what the daemon could not be asked for', async () => {
    const { collector, state } = daemon(lines(100), 'every line');
    state.error = new DockerError('unreachable', 'cut');
    await expect(collector().finish('c', path)).rejects.toThrow('cut');
    state.error = null;
    await collector().finish('c', path);
    expect((await readFile(path, 'utf8')).split('\n')).toHaveLength(101);
  });

  it('keeps bytes that are no text, and characters cut over two lines of the log', async () => {
    const log = [Buffer.from([0xff, 0x00, 0x0a]), Buffer.from('é').subarray(0, 1), Buffer.from('é').subarray(1)];
    async function* followLogs(): AsyncGenerator<LogFrame[], void, undefined> {
      yield log.map((text, us) => ({ stream: 'stderr', payload: Buffer.concat([Buffer.from(`${at(us)} `), text]) }));
    }
    await createOutputCollector({ followLogs, tell: () => undefined }).finish('c', path);
    expect(await readFile(path)).toEqual(Buffer.concat(log));
  });
});
