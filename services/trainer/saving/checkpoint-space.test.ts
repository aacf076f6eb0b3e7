import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeTinyTraining, type TinyTraining } from '../checkpoint/tiny-training.fixture.ts';
import { writeCheckpoint } from '../checkpoint/write-checkpoint.ts';
import { explainFailure } from '../failure.ts';
import { freeBytes } from '../free-space.ts';
import { nameFullDisk, requireSpace, spaceFor } from './checkpoint-space.ts';

let tiny: TinyTraining;
beforeAll(async () => {
  tiny = await makeTinyTraining();
});
afterAll(() => tiny.remove());

test('what is written takes no more space than is asked for, and hardly less but for the margin of 1 MiB', async () => {
  const target = tiny.freshDirectory();
  const files = await writeCheckpoint(target, tiny.snapshot());
  const written = files.reduce((sum, { size }) => sum + size, 0);
  const needed = await spaceFor(tiny.snapshot());
  expect(needed).toBeGreaterThan(written);
  expect(needed - 2 ** 20).toBeLessThan(written);
});

test('a checkpoint that cannot fit is refused with the figures and the remedy, and nothing of it is written', async () => {
  const directory = path.join(tiny.freshDirectory(), 'checkpoints');
  const refusal = await requireSpace(directory, tiny.snapshot(), async () => 1000).catch(explainFailure);
  expect(refusal).toMatchObject({
    reason: 'disk_full',
    message: expect.stringMatching(
      /^The disk is full: the checkpoint needs about 1\.\d MiB, .*checkpoints has 0\.0 MiB free$/,
    ),
    remedy: expect.stringMatching(/^Free 1\.\d MiB on the disk of .*checkpoints/),
  });
  expect(await readdir(directory)).toEqual([]);
});

test('a disk that fills while a checkpoint is written is named, and any other error stays what it is', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  expect(explainFailure(nameFullDisk('/work/checkpoints', full))).toMatchObject({
    reason: 'disk_full',
    message: 'The disk is full: /work/checkpoints took only a part of the checkpoint',
    remedy: expect.stringMatching(/^Free space on the disk of \/work\/checkpoints; the next checkpoint is saved/),
  });
  const other = new Error('something else');
  expect(nameFullDisk('/work/checkpoints', other)).toBe(other);
});

test('a disk with space is taken as it is', async () => {
  const directory = tiny.freshDirectory();
  await requireSpace(directory, tiny.snapshot());
  expect(existsSync(directory) && (await stat(directory)).isDirectory()).toBe(true);
  expect(await freeBytes(directory)).toBeGreaterThan(2 ** 20);
});
