import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { tarLength } from './tar-length.ts';

interface File {
  name: string;
  size: number;
}

/** What a tar of these files really has; their content is zeros. */
async function written(files: readonly File[]): Promise<number> {
  const tar = pack();
  for (const { name, size } of files) tar.entry({ name, mtime: new Date(0) }, Buffer.alloc(size));
  tar.finalize();
  return (await buffer(tar)).length;
}

/** The header blocks that the entry of a file begins with; its content is never made. */
async function headerOf(file: File): Promise<Buffer> {
  const tar = pack();
  tar.entry({ ...file, mtime: new Date(0) }).on('error', () => undefined);
  for await (const chunk of tar) return chunk;
  throw new Error('no header was written');
}

const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
  return seed / 2 ** 32;
};

describe('the length of a tar', () => {
  test('is known beforehand for no file, empty files, and files around a block', async () => {
    expect(tarLength([])).toBe(await written([]));
    for (const size of [0, 1, 511, 512, 513, 10_000]) {
      const files = [{ name: 'a/b', size }];
      expect(tarLength(files), String(size)).toBe(await written(files));
    }
  });

  test.each([
    99, 100, 101, 154, 155, 156, 157, 255, 256, 257, 500, 539, 540,
  ])('is right for names of %i characters, with and without slashes', async (length) => {
    const names = [
      'n'.repeat(length),
      `d/${'n'.repeat(length - 2)}`,
      `${'d'.repeat(length - 2)}/n`,
      `${'d/'.repeat(length / 2).slice(0, length - 1)}n`,
    ];
    for (const name of names) {
      expect(tarLength([{ name, size: 3 }]), name).toBe(await written([{ name, size: 3 }]));
    }
  });

  test('is right for random paths', async () => {
    const next = random(7);
    for (let round = 0; round < 200; round++) {
      const files = Array.from({ length: 1 + Math.floor(next() * 5) }, () => ({
        name: Array.from({ length: 1 + Math.floor(next() * 540) }, () => (next() < 0.05 ? '/' : 'x')).join('') || 'x',
        size: Math.floor(next() * 1500),
      }));
      expect(tarLength(files), JSON.stringify(files)).toBe(await written(files));
    }
  });

  test('counts a file of 9 GiB, whose header says its size in base 256', async () => {
    const size = 9 * 2 ** 30 + 1;
    const header = await headerOf({ name: 'optimizer.pt', size });
    expect(header).toHaveLength(512);
    expect(header.readUInt8(124)).toBe(0x80);
    expect(Number(header.readBigUInt64BE(128))).toBe(size);
    expect(tarLength([{ name: 'optimizer.pt', size }])).toBe(512 + 9 * 2 ** 30 + 512 + 1024);
  });
});
