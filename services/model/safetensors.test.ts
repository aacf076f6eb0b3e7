import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodeFloats, encodeFloats } from './float-formats.ts';
import { openSafetensors, writeSafetensors } from './safetensors.ts';
import { temporaryDirectory, values } from './testing/support.ts';

describe('a written file', () => {
  test('reads back with its order, shapes and values, and is the same bytes each time', async () => {
    const dir = await temporaryDirectory();
    const tensors = [
      ['b', { shape: [3, 5], data: values(15, 1) }],
      ['a.weight', { shape: [0, 4], data: new Float32Array(0) }],
      ['ü', { shape: [], data: values(1, 2) }],
    ] as const;
    for (const name of ['one', 'two'])
      await writeSafetensors(path.join(dir, name), tensors, { dtype: 'F32', metadata: { format: 'pt' } });
    expect(await readFile(path.join(dir, 'one'))).toEqual(await readFile(path.join(dir, 'two')));
    const file = await openSafetensors(path.join(dir, 'one'));
    expect(file.metadata).toEqual({ format: 'pt' });
    expect([...file.tensors.keys()]).toEqual(['b', 'a.weight', 'ü']);
    for (const [name, { shape, data }] of tensors) {
      expect(file.tensors.get(name)?.shape).toEqual(shape);
      expect(await file.readFloats(name)).toEqual(data);
    }
    await expect(file.readFloats('c')).rejects.toThrow(/no tensor c/);
    await file.close();
    const headerLength = (await readFile(path.join(dir, 'one'))).readBigUInt64LE();
    expect(headerLength % 8n).toBe(0n);
  });

  test('holds tensors in their order whether they are written together or alone', async () => {
    const file = path.join(await temporaryDirectory(), 'model.safetensors');
    const sizes = [3, 700_000, 5, 400_000, 1_100_000, 7];
    const tensors = sizes.map((size, i) => [`t${i}`, { shape: [size], data: new Float32Array(size).fill(i) }] as const);
    await writeSafetensors(file, tensors, { dtype: 'F32' });
    const opened = await openSafetensors(file);
    for (const [name, { data }] of tensors)
      expect(Buffer.compare(Buffer.from((await opened.readFloats(name)).buffer), Buffer.from(data.buffer))).toBe(0);
    await opened.close();
  });

  test.each(['BF16', 'F16'] as const)('in %s holds each value rounded once', async (dtype) => {
    const file = path.join(await temporaryDirectory(), 'model.safetensors');
    const data = values(64, 3);
    await writeSafetensors(file, [['w', { shape: [64], data }]], { dtype });
    const opened = await openSafetensors(file);
    const read = await opened.readFloats('w');
    await opened.close();
    const worst = Math.max(...read.map((value, i) => Math.abs(value / data[i]! - 1)));
    expect(worst).toBeLessThanOrEqual(dtype === 'BF16' ? 2 ** -8 : 2 ** -11);
    expect(decodeFloats(new Uint8Array(encodeFloats(read, dtype)), dtype)).toEqual(read);
  });
});

describe('16-bit floats', () => {
  const through = (dtype: 'BF16' | 'F16', list: number[]) => [
    ...decodeFloats(new Uint8Array(encodeFloats(Float32Array.from(list), dtype)), dtype),
  ];

  test('round to nearest with ties to even', () => {
    expect(through('BF16', [1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20])).toEqual([
      1,
      1 + 2 ** -6,
      1 + 2 ** -7,
    ]);
    expect(through('F16', [1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -11 + 2 ** -20])).toEqual([
      1,
      1 + 2 ** -9,
      1 + 2 ** -10,
    ]);
  });

  test('keep subnormals, overflow to infinity and carry NaN', () => {
    expect(through('F16', [2 ** -24, 3 * 2 ** -25, 2 ** -26, -0, 65504, 65520, Number.NaN])).toEqual([
      2 ** -24,
      2 ** -23,
      0,
      -0,
      65504,
      Number.POSITIVE_INFINITY,
      Number.NaN,
    ]);
    const [infinity, nan] = [Number.POSITIVE_INFINITY, Number.NaN];
    expect(through('BF16', [3.4e38, 2 ** 127, -infinity, nan])).toEqual([infinity, 2 ** 127, -infinity, nan]);
  });
});

describe('a hostile file is refused:', () => {
  const tensor = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
    dtype: 'F32',
    shape,
    data_offsets: [begin, end],
  });
  test.each([
    ['a hole', { a: tensor(0, 4), b: tensor(8, 12) }, 12, /hole or an overlap/],
    ['an overlap', { a: tensor(0, 8), b: tensor(4, 12) }, 12, /hole or an overlap/],
    ['data behind the last tensor', { a: tensor(0, 4) }, 12, /describes 4/],
    ['a tensor beyond the end', { a: tensor(0, 400) }, 12, /describes 400/],
    ['a shape that does not fill its span', { a: tensor(0, 8, [3]) }, 8, /need 12/],
    ['a negative size', { a: tensor(0, 4, [-1]) }, 4, /shape \[-1\]/],
    ['a size beyond exact integers', { a: tensor(0, 4, [2 ** 60]) }, 4, /shape/],
    ['an unknown dtype', { a: { ...tensor(0, 4), dtype: 'constructor' } }, 4, /unknown dtype/],
    ['an entry that is null', { a: null }, 0, /dtype/],
    ['a header that is a list', [], 0, /not a JSON object/],
  ])('%s', async (_, header, dataBytes, message) => {
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    await expectRefused(Buffer.concat([length, json, Buffer.alloc(dataBytes)]), message);
  });

  test('a header longer than the limit, or than the file, or no header at all', async () => {
    const length = Buffer.alloc(16);
    length.writeBigUInt64LE(100_000_001n);
    await expectRefused(length, /limit is 100000000/);
    length.writeBigUInt64LE(2n ** 63n);
    await expectRefused(length, /limit/);
    length.writeBigUInt64LE(9n);
    await expectRefused(length, /truncated/);
    await expectRefused(Buffer.alloc(3), /too short/);
  });

  test('a header with a tensor twice, which two readers would take differently', async () => {
    const entry = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';
    const json = Buffer.from(
      `{"a":${entry},"b:\\"":${entry.replace('[0,4]', '[4,8]')}, "a" : ${entry.replace('F32', 'I32')}}`,
    );
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    await expectRefused(Buffer.concat([length, json, Buffer.alloc(8)]), /it has "a" twice/);
  });

  test('a header that is not JSON or not UTF-8', async () => {
    await expectRefused(Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x22]), /not JSON/);
    await expectRefused(Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe]), /not JSON/);
  });

  async function expectRefused(bytes: Buffer, message: RegExp): Promise<void> {
    const file = path.join(await temporaryDirectory(), 'bad.safetensors');
    await writeFile(file, bytes);
    await expect(openSafetensors(file)).rejects.toThrow(message);
  }
});
