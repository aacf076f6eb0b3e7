import { describe, expect, it } from 'vitest';
import { demultiplex, type LogFrame } from './demultiplex.ts';

function frame(kind: number, payload: Buffer | string): Buffer {
  const bytes = Buffer.from(payload);
  const header = Buffer.alloc(8);
  header[0] = kind;
  header.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
}

async function* chunksOf(bytes: Buffer, sizes: () => number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const end = at + Math.max(1, sizes());
    yield bytes.subarray(at, end);
    at = end;
  }
}

async function all(source: AsyncIterable<Buffer>, maxFrameBytes?: number): Promise<LogFrame[]> {
  const frames: LogFrame[] = [];
  for await (const batch of demultiplex(source, maxFrameBytes)) frames.push(...batch);
  return frames;
}

const inWords = ({ stream, payload }: LogFrame) => `${stream} ${payload.toString('base64')}`;

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('demultiplex', () => {
  it('gives every frame whole and in order, however they are cut into chunks', async () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const next = random(seed);
      const wanted = Array.from({ length: Math.floor(next() * 60) }, () => {
        const length = Math.floor(next() < 0.1 ? next() * 20_000 : next() * 50);
        const payload = Buffer.from(Array.from({ length }, () => Math.floor(next() * 256)));
        return { stream: next() < 0.5 ? ('stdout' as const) : ('stderr' as const), payload };
      });
      const bytes = Buffer.concat(wanted.map(({ stream, payload }) => frame(stream === 'stdout' ? 1 : 2, payload)));
      const largest = 1 + next() * next() * 5000;
      const got = await all(chunksOf(bytes, () => Math.floor(next() * largest)));
      const told = wanted.filter(({ payload }) => payload.length > 0);
      expect(got.map(inWords), `seed ${seed}`).toEqual(told.map(inWords));
    }
  });

  it('takes a hundred thousand tiny frames in one chunk', async () => {
    const bytes = Buffer.concat(Array.from({ length: 100_000 }, () => frame(1, 'x')));
    expect(await all(chunksOf(bytes, () => bytes.length))).toHaveLength(100_000);
  });

  it('joins a long frame that comes in crumbs once, not once a crumb', async () => {
    const payload = Buffer.alloc(4 << 20, 'y');
    const began = performance.now();
    const [got] = await all(chunksOf(frame(2, payload), () => 100));
    expect(got?.payload.equals(payload)).toBe(true);
    // 40,000 crumbs: joined each time it would be 80 GB to copy.
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('does not read on while nobody takes what it has', async () => {
    let read = 0;
    async function* source() {
      for (;;) {
        read += 1;
        yield frame(1, 'line');
      }
    }
    const frames = demultiplex(source());
    await frames.next();
    await new Promise(setImmediate);
    expect(read).toBe(1);
    await frames.return();
  });

  it('closes what it reads when its reader has enough', async () => {
    let closed = false;
    async function* source() {
      try {
        for (;;) yield frame(1, 'line');
      } finally {
        closed = true;
      }
    }
    for await (const [first] of demultiplex(source())) if (first) break;
    expect(closed).toBe(true);
  });

  it.each([
    ['something that is no frame', Buffer.from('{"message":"a proxy"}'), /no header of a frame/],
    ['an unknown stream', frame(4, 'x'), /no header of a frame/],
    ['a frame above the limit', frame(1, Buffer.alloc(101)), /longer than the limit of 100/],
    ['an end within a header', frame(1, 'line').subarray(0, 5), /ends within a frame/],
    ['an end within a frame', frame(1, 'line').subarray(0, 10), /ends within a frame/],
    ['an error of the daemon', frame(3, 'no space left'), /no space left/],
  ])('fails at %s, after what came before', async (_, bytes, message) => {
    const got: LogFrame[] = [];
    async function* source() {
      yield frame(1, 'before');
      yield bytes;
    }
    const reading = (async () => {
      for await (const batch of demultiplex(source(), 100)) got.push(...batch);
    })();
    await expect(reading).rejects.toThrow(message);
    expect(got.map(({ payload }) => String(payload))).toEqual(['before']);
  });

  it('passes on what breaks its source', async () => {
    async function* source() {
      yield frame(1, 'line');
      throw new Error('broken');
    }
    await expect(all(source())).rejects.toThrow('broken');
  });
});
