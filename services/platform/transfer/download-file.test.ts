import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as slowly } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoreFault } from '../testing/store-server.ts';
import { downloadFile, downloadFiles, type ExpectedFile } from './download-file.ts';
import { KIB, PART, quick, sha256, startTransferTest, type TransferTest } from './transfer.fixture.ts';

const never = new AbortController().signal;
let t: TransferTest;
let target: string;
beforeEach(async () => {
  t = await startTransferTest();
  target = join(t.directory, 'fetched', 'model.bin');
});
afterEach(() => t.close());

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail('it went well'),
    (error: unknown) => error,
  );

/** A stored file; `parts: false` for one that goes as one. */
async function stored(size: number, { parts = true } = {}) {
  const { bytes, said } = await t.file(size);
  t.store.objects.set('model.bin', bytes);
  const { parts: cut, ...rest } = said;
  const expected: ExpectedFile = parts && cut ? { ...rest, parts: cut } : rest;
  const fetch = (more = {}) =>
    downloadFile(t.store.link('model.bin'), target, expected, { signal: never, retry: quick, ...more });
  return { bytes, expected, fetch };
}

function faults(...list: StoreFault[]): void {
  t.store.interfere = () => list.shift();
}
const ranges = () => t.store.requests.map(({ range }) => range?.replace('bytes=', ''));

describe.each([
  ['in parts', true],
  ['as one', false],
])('a file %s', (_how, parts) => {
  it.each([
    0,
    1,
    PART,
    PART + 1,
    9 * PART - 3,
  ])('of %i bytes arrives as it is, and every byte is told once', async (size) => {
    const { bytes, fetch } = await stored(size, { parts });
    let told = 0;
    await fetch({ onProgress: (count: number) => (told += count) });
    expect(readFileSync(target).equals(bytes)).toBe(true);
    expect(told).toBe(size);
    expect(readdirSync(join(target, '..'))).toEqual(['model.bin']);
  });

  it.each<[string, StoreFault]>([
    ['a server error', { status: 500 }],
    ['a connection that breaks', { breakAfter: 10 * KIB }],
    ['a byte that changes on the way', 'damage'],
    ['silence', 'silence'],
  ])('arrives as it is after %s', async (_what, fault) => {
    const { bytes, fetch } = await stored(5 * PART, { parts });
    faults(fault, fault);
    let told = 0;
    await fetch({ idleMs: 100, onProgress: (count: number) => (told += count) });
    expect(readFileSync(target).equals(bytes)).toBe(true);
    expect(told).toBe(5 * PART);
  });

  it('that is another one is refused with the hash that was expected and the one that was found', async () => {
    const { bytes, expected, fetch } = await stored(PART + 5, { parts });
    bytes[PART + 3]! ^= 1;
    const error = await failure(fetch());
    const [wanted, found] = parts
      ? [expected.parts!.sha256[1], sha256(bytes.subarray(PART))]
      : [expected.sha256, sha256(bytes)];
    expect(error).toMatchObject({
      kind: 'damaged',
      message: expect.stringContaining(`sha256 ${found}, expected ${wanted}`),
    });
    expect(String(error)).not.toContain('secret');
    expect(existsSync(target)).toBe(false);
  });

  it.each([-1, 1, -PART])('that is %i bytes longer than said is refused with both sizes', async (more) => {
    const { bytes, fetch } = await stored(3 * PART, { parts });
    t.store.objects.set('model.bin', Buffer.concat([bytes, Buffer.alloc(1)]).subarray(0, bytes.length + more));
    const message = expect.stringContaining(`has ${3 * PART + more} bytes, expected ${3 * PART}`);
    expect(await failure(fetch())).toMatchObject({ kind: 'wrong_size', message });
    expect(existsSync(target)).toBe(false);
  });

  it.each([
    [{ status: 404, code: 'NoSuchKey' }, 'missing'],
    [{ status: 403, code: 'AccessDenied' }, 'expired'],
  ])('%o ends the transfer at once as %s', async (fault, kind) => {
    const { fetch } = await stored(2 * PART, { parts });
    t.store.interfere = () => fault;
    expect(await failure(fetch({ concurrency: 1 }))).toMatchObject({ kind });
    expect(t.store.requests).toHaveLength(1);
  });

  it('a server that knows no ranges is good enough', async () => {
    const { bytes, fetch } = await stored(5 * PART, { parts });
    t.store.interfere = () => 'ignore-range';
    let told = 0;
    await fetch({ onProgress: (count: number) => (told += count) });
    expect(readFileSync(target).equals(bytes)).toBe(true);
    expect(told).toBe(5 * PART);
  });

  it('ends with the signal, with its reason', async () => {
    const { fetch } = await stored(5 * PART, { parts });
    const stop = new AbortController();
    t.store.interfere = () => {
      setImmediate(() => stop.abort(new Error('the deadline passed')));
      return 'silence';
    };
    await expect(fetch({ signal: stop.signal })).rejects.toThrow('the deadline passed');
  });
});

it('what breaks off goes on from the byte where it broke', async () => {
  const { fetch } = await stored(3 * PART, { parts: false });
  faults({ breakAfter: 10 * KIB }, { breakAfter: 20 * KIB });
  await fetch();
  expect(ranges()).toEqual([undefined, `${10 * KIB}-${3 * PART - 1}`, `${30 * KIB}-${3 * PART - 1}`]);
});

it('a line that breaks again and again is enough as long as bytes come through', async () => {
  const { bytes, fetch } = await stored(PART, { parts: false });
  const last = Math.floor((PART - 1) / (5 * KIB));
  const broken = Array.from({ length: last }, () => ({ breakAfter: 5 * KIB }));
  faults(...broken);
  await fetch();
  expect(readFileSync(target).equals(bytes)).toBe(true);
  expect(last).toBeGreaterThan(quick.tries);
});

it('the time for tries begins anew with each byte that comes through', async () => {
  const { bytes, fetch } = await stored(PART, { parts: false });
  const broken = Array.from({ length: 10 }, () => ({ breakAfter: 5 * KIB }));
  t.store.interfere = () => slowly(10, broken.shift());
  await fetch({ retry: { ...quick, withinMs: 50 } });
  expect(readFileSync(target).equals(bytes)).toBe(true);
});

it('only the part with the wrong hash is fetched again', async () => {
  const { fetch } = await stored(4 * PART);
  let damaged = false;
  t.store.interfere = ({ range }) => {
    if (damaged || !range?.includes(`=${2 * PART}-`)) return undefined;
    damaged = true;
    return 'damage';
  };
  await fetch();
  expect(ranges().filter((range) => range?.startsWith(`${2 * PART}-`))).toHaveLength(2);
  expect(ranges()).toHaveLength(5);
});

it('after a failure the next call fetches only the parts that are not there yet', async () => {
  const { bytes, fetch } = await stored(8 * PART);
  t.store.interfere = ({ range }) => (range?.includes(`=${6 * PART}-`) ? { status: 403 } : undefined);
  await failure(fetch({ concurrency: 1 }));
  t.store.interfere = () => undefined;
  t.store.requests.length = 0;
  await fetch();
  expect(ranges().sort()).toEqual([`${6 * PART}-${7 * PART - 1}`, `${7 * PART}-${8 * PART - 1}`]);
  expect(readFileSync(target).equals(bytes)).toBe(true);
});

it('several files share the requests that may be made at the same time', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const files = await Promise.all(
    names.map(async (name, i) => {
      const { bytes, said } = await t.file((i % 2) * 6 * PART + 100, name);
      t.store.objects.set(name, bytes);
      return { url: t.store.link(name), file: join(t.directory, 'out', name), expected: said, bytes };
    }),
  );
  t.store.interfere = () => slowly(5, undefined);
  await downloadFiles(files, { signal: never, concurrency: 3 });
  for (const { file, bytes } of files) expect(readFileSync(file).equals(bytes)).toBe(true);
  expect(t.store.busiest).toBe(3);
});
