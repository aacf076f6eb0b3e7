import { open } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashFile, hashRange, partSizeFor } from './hash-file.ts';
import { KIB, sha256, startTransferTest, type TransferTest } from './transfer.fixture.ts';

const MIB = 2 ** 20;
let t: TransferTest;
beforeEach(async () => {
  t = await startTransferTest();
});
afterEach(() => t.close());

it.each([
  0,
  1,
  100,
  MIB - 1,
  MIB,
  MIB + 1,
  3 * MIB + 17,
])('%i bytes have the hashes of their content and of their parts', async (size) => {
  const { path, bytes } = await t.file(size);
  const handle = await open(path);
  const found = await hashFile(handle, 100 * KIB);
  const middle = await hashRange(handle, Math.floor(size / 3), size);
  await handle.close();
  expect(found).toMatchObject({ size, sha256: sha256(bytes) });
  const parts = Array.from({ length: Math.ceil(size / (100 * KIB)) }, (_, i) =>
    sha256(bytes.subarray(i * 100 * KIB, (i + 1) * 100 * KIB)),
  );
  expect(found.parts?.sha256).toEqual(parts.length > 1 ? parts : undefined);
  expect(middle).toBe(sha256(bytes.subarray(Math.floor(size / 3))));
});

describe('the size of parts', () => {
  it('is 16 MiB, and none for a file of one part', () => {
    expect([0, 16 * MIB, 16 * MIB + 1, 2048 * MIB].map(partSizeFor)).toEqual([null, null, 16 * MIB, 16 * MIB]);
  });

  it('grows so that a store takes the largest object there can be', () => {
    for (const size of [9000 * 16 * MIB, 9000 * 16 * MIB + 1, 5 * 2 ** 40]) {
      const part = partSizeFor(size)!;
      expect(Math.ceil(size / part)).toBeLessThanOrEqual(9000);
      expect(part % MIB).toBe(0);
    }
  });
});
