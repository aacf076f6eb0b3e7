import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeDirectory, type ZipEntry } from './zip-format.ts';
import { parseDirectory, parseEnd } from './zip-parse.ts';
import { openZip } from './zip-reader.ts';
import { writeZip } from './zip-writer.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'tandem-zip-'));
});
afterAll(() => rm(directory, { recursive: true }));

const entries = [
  ['a/data.pkl', Buffer.from('pickle')],
  ['a/data/0', Buffer.from(Float32Array.of(1, 2, 3).buffer)],
  ['a/empty', Buffer.alloc(0)],
] as const;

describe('a ZIP file', () => {
  test('gives back what was written, and the same bytes each time', async () => {
    const [one, other] = [await written('one.zip'), await written('other.zip')];
    const zip = await openZip(one);
    for (const [name, data] of entries) expect(await zip.read(name)).toEqual(data);
    await zip.close();
    expect(await readFile(one)).toEqual(await readFile(other));
  });

  test('has the data of each entry at a multiple of 64 bytes', async () => {
    const bytes = await readFile(await written('aligned.zip'));
    expect(bytes.indexOf('pickle') % 64).toBe(0);
    expect(bytes.indexOf(entries[1][1]) % 64).toBe(0);
  });

  test('entries beyond 4 GiB keep their sizes and offsets', () => {
    const far: ZipEntry[] = [
      { name: 'big', method: 0, crc: 7, compressedSize: 5 * 2 ** 30, size: 5 * 2 ** 30, offset: 0 },
      { name: 'after', method: 0, crc: 8, compressedSize: 12, size: 12, offset: 5 * 2 ** 30 + 64 },
    ];
    const offset = 6 * 2 ** 30;
    const bytes = encodeDirectory(far, offset);
    const location = parseEnd(bytes, offset + bytes.length);
    expect(location).toMatchObject({ count: 2, offset });
    expect([...parseDirectory(bytes.subarray(0, location.bytes), location).values()]).toEqual(far);
  });

  test('any flipped byte of the content is noticed', async () => {
    const good = await readFile(await written('flip.zip'));
    for (const marker of ['pickle', entries[1][1]]) {
      const bytes = Buffer.from(good);
      bytes[bytes.indexOf(marker) + 2]! ^= 1;
      await expect(readAll(await saved('flipped.zip', bytes))).rejects.toThrow('does not match its CRC');
    }
  });

  test('cut off anywhere it is refused, never half read', async () => {
    const good = await readFile(await written('cut.zip'));
    for (let length = 0; length < good.length; length += 7) {
      await expect(readAll(await saved('cut-off.zip', good.subarray(0, length)))).rejects.toMatchObject({
        name: 'CheckpointError',
        code: 'invalid_file',
      });
    }
  });

  test('an entry that inflates beyond the size it declares is refused', async () => {
    const bomb = deflateRawSync(Buffer.alloc(100_000));
    const entry = { name: 'bomb', method: 8, crc: 0, compressedSize: bomb.length, size: 10, offset: 0 };
    await expect(readAll(await saved('bomb.zip', zipOf(entry, bomb)))).rejects.toThrow(
      'does not inflate to its 10 bytes',
    );
  });

  test('with a symbolic link in it is refused', async () => {
    const data = Buffer.from('/etc/passwd');
    const entry = { name: 'x', method: 0, crc: 0, compressedSize: data.length, size: data.length, offset: 0 };
    const bytes = zipOf(entry, data);
    const at = bytes.indexOf('PK\x01\x02', 0, 'latin1');
    bytes.writeUInt8(3, at + 5);
    bytes.writeUInt32LE((0o120777 << 16) >>> 0, at + 38);
    await expect(readAll(await saved('link.zip', bytes))).rejects.toThrow('has the symbolic link "x"');
  });

  test.each<readonly [string, (entry: ZipEntry) => ZipEntry[], string]>([
    ['twice the same name', (e: ZipEntry) => [e, e], 'two entries named "x"'],
    [
      'an entry that reaches into the directory',
      (e: ZipEntry) => [{ ...e, compressedSize: 1e6 }],
      'reaches into the directory',
    ],
    ['another compression', (e: ZipEntry) => [{ ...e, method: 12 }], 'compression method 12'],
    ['a stored entry of two sizes', (e: ZipEntry) => [{ ...e, size: 2 }], 'has two sizes'],
    ['a huge compressed entry', (e: ZipEntry) => [{ ...e, method: 8, size: 2 ** 40 }], 'the limit is'],
    [
      'compressed entries that are huge together',
      (e: ZipEntry) => [1, 2, 3].map((i) => ({ ...e, name: `x${i}`, method: 8, compressedSize: 1, size: 2 ** 29 })),
      'bytes in all; the limit is',
    ],
    [
      'entries that share their bytes',
      (e: ZipEntry) => Array.from({ length: 50 }, (_, i) => ({ ...e, name: `x${i}` })),
      'its entries overlap',
    ],
    ...['../x', '/etc/passwd', 'a/../../x', 'C:\\x', 'a\\b', 'a/./b', '..'].map(
      (name) => [`the name ${name}`, (e: ZipEntry) => [{ ...e, name }], 'which leads elsewhere'] as const,
    ),
  ])('with %s it is refused', async (_, change, message) => {
    const data = Buffer.from('data');
    const entry = { name: 'x', method: 0, crc: 0, compressedSize: data.length, size: data.length, offset: 0 };
    await expect(readAll(await saved('changed.zip', zipOf(entry, data, change(entry))))).rejects.toThrow(message);
  });
});

async function written(name: string): Promise<string> {
  const file = path.join(directory, name);
  const handle = await open(file, 'w');
  await writeZip(handle, entries);
  await handle.close();
  return file;
}

async function saved(name: string, bytes: Uint8Array): Promise<string> {
  const file = path.join(directory, name);
  await writeFile(file, bytes);
  return file;
}

async function readAll(file: string): Promise<void> {
  const zip = await openZip(file);
  try {
    for (const name of zip.names) await zip.read(name);
  } finally {
    await zip.close();
  }
}

/** One local entry as a general ZIP tool would write it, and a directory that may say something else. */
function zipOf(entry: ZipEntry, data: Buffer, directory: readonly ZipEntry[] = [entry]): Buffer {
  const header = Buffer.alloc(30);
  header.write('PK\x03\x04', 'latin1');
  header.writeUInt16LE(entry.name.length, 26);
  const local = Buffer.concat([header, Buffer.from(entry.name), data]);
  return Buffer.concat([local, encodeDirectory(directory, local.length)]);
}
