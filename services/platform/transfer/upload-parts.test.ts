import { rmSync, truncateSync } from 'node:fs';
import { setTimeout as slowly } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { StoreFault } from '../testing/store-server.ts';
import { KIB, PART, quick, startTransferTest, type TransferTest } from './transfer.fixture.ts';
import { transferDefaults } from './transfer-options.ts';
import { uploadFiles } from './upload-parts.ts';

const never = new AbortController().signal;
let t: TransferTest;
beforeEach(async () => {
  t = await startTransferTest();
});
afterEach(() => t.close());

type Sent = Awaited<ReturnType<TransferTest['file']>>;
type Parts = Parameters<typeof uploadFiles>[0][number]['parts'];
const uploadParts = (file: string, parts: Parts, more = {}) =>
  uploadFiles([{ file, parts }], { signal: never, retry: quick, ...more });
const send = ({ path, said }: Sent, more = {}) => uploadParts(path, t.store.plan('model.bin', said), more);
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail('it went well'),
    (error: unknown) => error,
  );

/** Lets faults happen to the first requests for a part, each in its turn. */
function once(part: number, ...faults: StoreFault[]): void {
  t.store.interfere = ({ path }) => (path.endsWith(`/${part}`) ? faults.shift() : undefined);
}

it.each([
  0,
  1,
  PART,
  PART + 1,
  10 * PART - 3,
])('a file of %i bytes arrives as it is, and every byte is told once', async (size) => {
  const file = await t.file(size);
  let told = 0;
  await send(file, { onProgress: (bytes: number) => (told += bytes) });
  expect(t.store.complete('model.bin')?.equals(file.bytes)).toBe(true);
  expect(told).toBe(size);
});

it('no more parts are in flight than allowed', async () => {
  const file = await t.file(20 * PART);
  t.store.interfere = () => slowly(5, undefined);
  await send(file, { concurrency: 3 });
  expect(t.store.busiest).toBe(3);
});

it.each([
  ['a server error', { status: 500 }],
  ['a store that wants less', { status: 503, code: 'SlowDown' }],
  ['too many requests', { status: 429 }],
  ['a timeout that S3 calls a bad request', { status: 400, code: 'RequestTimeout' }],
  ['a connection that breaks before the end', { breakAfter: KIB }],
  ['a byte that changes on the way', 'damage' as const],
])('after %s only that part is sent again', async (_what, fault) => {
  const file = await t.file(5 * PART);
  once(3, fault, fault);
  await send(file);
  expect(t.store.complete('model.bin')?.equals(file.bytes)).toBe(true);
  expect(t.store.requests.map(({ path }) => path.at(-1)).sort()).toEqual(['1', '2', '3', '3', '3', '4', '5']);
});

it('a store that says nothing is given up after a while and asked again', async () => {
  const file = await t.file(2 * PART);
  once(1, 'silence');
  await send(file, { idleMs: 50 });
  expect(t.store.complete('model.bin')?.equals(file.bytes)).toBe(true);
});

it.each([
  [{ status: 403, code: 'AccessDenied' }, 'expired'],
  [{ status: 404, code: 'NoSuchUpload' }, 'expired'],
  [{ status: 507, code: 'XMinioStorageFull' }, 'full'],
  [{ status: 400, code: 'EntityTooLarge' }, 'refused'],
])('%o ends the transfer at once as %s, and no part of a key is told', async (fault, kind) => {
  const file = await t.file(5 * PART);
  t.store.interfere = () => fault;
  const error = await failure(send(file, { concurrency: 1 }));
  expect(error).toMatchObject({ name: 'TransferError', kind, message: expect.stringContaining(fault.code) });
  expect(String((error as Error).stack)).not.toContain('secret');
  expect(t.store.requests).toHaveLength(1);
});

it.each([
  ['damaged', 'damage' as const, transferDefaults.damagedTries],
  ['unreachable', { status: 502 }, quick.tries],
])('what stays %s is an error after some tries', async (kind, fault, tries) => {
  const file = await t.file(PART);
  t.store.interfere = () => fault;
  expect(await failure(send(file))).toMatchObject({ kind });
  expect(t.store.requests).toHaveLength(tries);
});

it('what stays unreachable is an error when its time is over, though there are tries left', async () => {
  const file = await t.file(PART);
  t.store.interfere = () => slowly(20, { status: 502 });
  const retry = { ...quick, tries: 1000, withinMs: 50 };
  expect(await failure(send(file, { retry }))).toMatchObject({ kind: 'unreachable' });
  expect(t.store.requests.length).toBeLessThanOrEqual(3);
});

it('a server that is not there is unreachable, and the query of the URL is not told', async () => {
  const file = await t.file(PART);
  const plan = t.store.plan('model.bin', file.said);
  await t.store.close();
  const error = await failure(uploadParts(file.path, plan));
  expect(error).toMatchObject({ kind: 'unreachable', message: expect.stringContaining('ECONNREFUSED') });
  expect(String(error)).not.toContain('secret');
});

it('what went wrong half-way goes on with what is missing', async () => {
  const file = await t.file(10 * PART);
  t.store.interfere = ({ path }) => (path.endsWith('/7') ? { status: 403 } : undefined);
  await failure(send(file, { concurrency: 2 }));
  t.store.interfere = () => undefined;
  const missing = t.store.plan('model.bin', file.said);
  expect(missing.length).toBeLessThan(6);
  await send(file);
  expect(t.store.complete('model.bin')?.equals(file.bytes)).toBe(true);
});

it('a file that has shrunk is not sent', async () => {
  const file = await t.file(3 * PART);
  truncateSync(file.path, PART);
  expect(await failure(send(file))).toMatchObject({
    kind: 'wrong_size',
    message: expect.stringContaining('model.bin has 65536'),
  });
});

it('an error of the disk is passed on as it is', async () => {
  const file = await t.file(3 * PART);
  const plan = t.store.plan('model.bin', file.said);
  rmSync(file.path);
  expect(await failure(uploadParts(file.path, plan))).toMatchObject({ code: 'ENOENT' });
});

it('a read that fails is an error at once, though the store waits for the rest', async () => {
  // A directory can be opened, and every read of it fails.
  const { said } = await t.file(1);
  expect(await failure(uploadParts(t.directory, t.store.plan('model.bin', said)))).toMatchObject({ code: 'EISDIR' });
});

it('it ends with the signal, with its reason', async () => {
  const file = await t.file(3 * PART);
  const stop = new AbortController();
  t.store.interfere = () => {
    setImmediate(() => stop.abort(new Error('the deadline passed')));
    return 'silence';
  };
  await expect(send(file, { signal: stop.signal })).rejects.toThrow('the deadline passed');
});
