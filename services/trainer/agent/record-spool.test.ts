import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RecordBody } from '../../contracts/record.ts';
import { openRecordSpool, SPOOL_START } from './record-spool.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tandem-spool-'));
  file = path.join(directory, 'spool.jsonl');
});
afterEach(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));

const log = (message: string): RecordBody => ({ kind: 'log', component: 'training', level: 'INFO', message });
const open = () => openRecordSpool({ path: file, now: () => 0 });

test('a record is in the file, numbered, when append returns', () => {
  const spool = open();
  spool.append([log('a'), log('b')]);
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { n: 1, time: '1970-01-01T00:00:00.000Z', message: 'a' },
    { n: 2, message: 'b' },
  ]);
  spool.close();
});

test('a spool that is opened again goes on numbering after its last whole line and cuts off a torn one', () => {
  const first = open();
  first.append([log('a'), log('b')]);
  first.close();
  appendFileSync(file, '{"n":3,"time":"1970');

  const second = open();
  expect(second.high).toBe(2);
  second.append([log('c')]);
  second.close();
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).n)).toEqual([1, 2, 3]);
});

test('reading goes on where it stopped, in batches, and finds any record again', () => {
  const spool = open();
  spool.append(Array.from({ length: 50 }, (_, i) => log(`line ${i + 1}`)));
  const numbers: number[] = [];
  let cursor = SPOOL_START;
  for (let batch = spool.read(cursor, 400, 7); batch.lines !== ''; batch = spool.read(cursor, 400, 7)) {
    expect(batch.lines.endsWith('\n')).toBe(true);
    for (const line of batch.lines.trim().split('\n')) numbers.push(JSON.parse(line).n);
    cursor = batch.next;
  }
  expect(numbers).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  const { lines } = spool.read(spool.find(33), 1, 1);
  expect(JSON.parse(lines)).toMatchObject({ n: 33, message: 'line 33' });
  spool.close();
});

test('a line longer than a read still comes whole', () => {
  const spool = open();
  spool.append([log('x'.repeat(50_000)), log('short')]);
  const { lines, next } = spool.read(SPOOL_START, 100, 1);
  expect(JSON.parse(lines).message).toHaveLength(50_000);
  expect(next.n).toBe(2);
  spool.close();
});

/** A disk that takes `free` bytes, then none. */
function smallDisk(free: number) {
  const disk = { free };
  const write = (handle: number, bytes: Buffer, from: number): number => {
    const taken = writeSync(handle, bytes, from, Math.min(disk.free, bytes.length - from));
    disk.free -= taken;
    if (taken === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    return taken;
  };
  return { disk, write };
}

test('what a full disk does not take can be read all the same, and is in the file once there is space', () => {
  const { disk, write } = smallDisk(150);
  const spool = openRecordSpool({ path: file, now: () => 0, write });
  for (const message of ['a', 'b', 'c']) spool.append([log(message)]);
  const all = () => spool.read(SPOOL_START, 1 << 20, 100).lines;
  const told = 'The disk of the workspace is full: records are held in memory until there is space; free some';
  const messages = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { n: number; message: string })
      .map(({ n, message }) => [n, message]);
  const expected = [
    [1, 'a'],
    [2, 'b'],
    [3, told],
    [4, 'c'],
  ];
  expect(messages(all())).toEqual(expected);
  expect(spool.read(spool.find(4), 1 << 20, 100).lines).toContain('"c"');
  expect(readFileSync(file)).toHaveLength(150);

  disk.free = Number.POSITIVE_INFINITY;
  spool.append([log('d')]);
  spool.close();
  expect(messages(readFileSync(file, 'utf8'))).toEqual([...expected, [5, 'd']]);
});

test('a disk that stays full ends in its own error, not in all of the memory', () => {
  const { write } = smallDisk(0);
  const spool = openRecordSpool({ path: file, now: () => 0, write, heldBytes: 1000 });
  const fill = () => {
    for (let i = 0; i < 100; i++) spool.append([log(`line ${i}`)]);
  };
  expect(fill).toThrow('no space left on device');
  expect(spool.high).toBeLessThan(20);
  expect(
    spool
      .read(SPOOL_START, 1 << 20, 100)
      .lines.trim()
      .split('\n'),
  ).toHaveLength(spool.high);
});

test('a broken disk is told at once', () => {
  const write = () => {
    throw Object.assign(new Error('i/o error'), { code: 'EIO' });
  };
  const spool = openRecordSpool({ path: file, now: () => 0, write });
  expect(() => spool.append([log('a')])).toThrow('i/o error');
});
