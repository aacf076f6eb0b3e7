import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Checkpoint, Manifest } from '../../contracts/checkpoint.ts';
import type { ObjectTransfers } from '../../platform/object-store.ts';
import { type CheckpointFixture, commitOf, openCheckpoints, RUN } from '../checkpoints/checkpoint.fixtures.ts';
import type { RunRow } from '../runs/run-row.ts';
import { createCheckpointHandlers } from './checkpoints.handlers.ts';
import { problemOf, servePublic, type TestServer } from './testing.ts';

const FORK = 'run-bbbbbbbb';
const PREFIX = `runs/${RUN}/checkpoints/a1/checkpoint-40`;
const weights = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251));
const config = Buffer.from('{"r": 16}');
let fixture: CheckpointFixture;
let manifest: Manifest;
let server: TestServer;
/** Where a fake store in front of the files says that people find an object; null: nowhere. */
let publicLink: ObjectTransfers['link'];

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const file = (path: string, bytes: Buffer) => ({ path, size: bytes.length, sha256: sha256(bytes) });
const listed = (): Checkpoint => ({
  name: 'checkpoint-40',
  attempt: 1,
  step: 40,
  aliases: ['latest'],
  purposes: ['step'],
  on_lineage: true,
  policy_version: 40,
  size: 100_018,
  created_at: manifest.created_at,
  metrics: manifest.metrics,
  pinned: false,
  parent: null,
  files: manifest.files,
});

beforeEach(async () => {
  fixture = openCheckpoints();
  const { store, checkpoints, attempts } = fixture;
  publicLink = async () => null as never;
  for (const [path, bytes] of [
    ['model/weights.bin', weights],
    ['model/config.json', config],
    ['empty.txt', Buffer.alloc(0)],
    ['lost.pt', config],
    ['secret.txt', Buffer.from('in no manifest')],
  ] as const)
    await store.put(`${PREFIX}/${path}`, bytes);
  const files = [
    file('model/weights.bin', weights),
    file('model/config.json', config),
    file('empty.txt', Buffer.alloc(0)),
    file('lost.pt', config),
  ];
  manifest = await checkpoints.commit({ run: RUN, attempt: 1 }, commitOf(40, ['step'], { files }));
  await store.delete(`${PREFIX}/lost.pt`);
  attempts.start(FORK, { run: RUN, attempt: 1, step: 40 });
  writeFileSync(join(fixture.home, 'outside.txt'), 'outside');
  const link = (...call: Parameters<typeof publicLink>) => publicLink(...call);
  const transfers = { link } as Partial<ObjectTransfers> as ObjectTransfers;
  const handlers = createCheckpointHandlers({
    runs: {
      get: (run) => ([RUN, FORK].includes(run) ? ({ id: run } as RunRow) : undefined),
      startsFrom: () => [],
      dependants: () => [],
    },
    checkpoints,
    store: { ...store, transfers },
    requireUnused: () => undefined,
  });
  server = await servePublic(handlers);
});
afterEach(async () => {
  await server.close();
  fixture.close();
});

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${server.url}/runs/${RUN}/checkpoints${path}`, { headers, method });
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

describe('checkpoints', () => {
  test('are listed and found by each of their names', async () => {
    expect(await (await get('')).json()).toEqual({ checkpoints: [listed()] });
    for (const name of ['latest', 'checkpoint-40', 'a1%2Fcheckpoint-40'])
      expect(await (await get(`/${name}`)).json()).toEqual(listed());
  });

  test('that a fork has inherited are shown as on its lineage, and as none of its own', async () => {
    const ofFork = `${server.url}/runs/${FORK}/checkpoints`;
    expect(await (await fetch(`${ofFork}/checkpoint-40`)).json()).toEqual(listed());
    expect(await (await fetch(ofFork)).json()).toEqual({ checkpoints: [] });
  });

  test('name what their attempt resumed from', async () => {
    fixture.attempts.start(RUN, { run: RUN, attempt: 1, step: 40 });
    await fixture.save(50);
    expect(await (await get('/latest')).json()).toMatchObject({
      name: 'checkpoint-50',
      parent: `${RUN}/a1/checkpoint-40`,
    });
  });

  test.each([
    '/checkpoint-41',
    '/best',
    '/best/files/model/config.json',
  ])('%s: there is none, and the answer says where to look', async (path) => {
    const problem = await problemOf(await get(path));
    expect(problem).toMatchObject({
      kind: 'not-found',
      detail: expect.stringContaining(`GET /runs/${RUN}/checkpoints`),
    });
  });

  test('of no run are not found, by a name that none can have are malformed', async () => {
    expect((await problemOf(await fetch(`${server.url}/runs/run-00000000/checkpoints`))).kind).toBe('not-found');
    expect((await problemOf(await get('/checkpoint-x'))).kind).toBe('invalid-request');
  });
});

describe('a file', () => {
  test('comes whole, with type, length, and its sha256 as ETag', async () => {
    const response = await get('/latest/files/model/weights.bin');
    expect(await bytesOf(response)).toEqual(weights);
    expect(response.headers.get('etag')).toBe(`"${sha256(weights)}"`);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(response.headers.get('content-length')).toBe('100000');
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="weights.bin"');
    expect(response.headers.get('cache-control')).toBe('private, no-cache');
    expect((await get('/latest/files/model/config.json')).headers.get('content-type')).toBe(
      'application/json; charset=utf-8',
    );
  });

  test.each([
    ['bytes=0-9', 0, 10],
    ['bytes=99990-', 99_990, 100_000],
    ['bytes=-5', 99_995, 100_000],
    ['bytes=500-999999', 500, 100_000],
  ])('%s comes as that part', async (range, start, end) => {
    const response = await get('/latest/files/model/weights.bin', { range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/100000`);
    expect(await bytesOf(response)).toEqual(weights.subarray(start, end));
  });

  test('beyond its end has nothing', async () => {
    const response = await get('/latest/files/model/config.json', { range: 'bytes=9-' });
    expect(response.headers.get('content-range')).toBe('bytes */9');
    expect(await problemOf(response)).toMatchObject({ kind: 'range-not-satisfiable', status: 416 });
  });

  test('a part of another version is not mixed in: If-Range with another tag answers the whole', async () => {
    const headers = { range: 'bytes=0-1', 'if-range': '"other"' };
    expect((await get('/latest/files/model/config.json', headers)).status).toBe(200);
    headers['if-range'] = `"${sha256(config)}"`;
    expect((await get('/latest/files/model/config.json', headers)).status).toBe(206);
  });

  test('that the client already holds is not sent again', async () => {
    const response = await get('/latest/files/model/config.json', { 'if-none-match': `"x", W/"${sha256(config)}"` });
    expect([response.status, await response.text()]).toEqual([304, '']);
  });

  test('HEAD says how large it is', async () => {
    const response = await get('/latest/files/model/weights.bin', {}, 'HEAD');
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '100000']);
  });

  test('that is empty comes empty', async () => {
    const response = await get('/latest/files/empty.txt');
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  test('that the store has lost is a clear problem', async () => {
    const problem = await problemOf(await get('/latest/files/lost.pt'));
    expect(problem).toMatchObject({
      kind: 'checkpoint-unusable',
      detail: 'lost.pt is missing from the object store; use an older checkpoint.',
    });
  });

  test('of another size than was committed is damaged, and not served', async () => {
    await fixture.store.put(`${PREFIX}/model/config.json`, Buffer.from('{}'));
    expect(await problemOf(await get('/latest/files/model/config.json'))).toMatchObject({
      kind: 'checkpoint-unusable',
      detail: 'model/config.json is damaged in the object store; use an older checkpoint.',
    });
  });

  describe('with redirect', () => {
    const follow = (path: string, init: RequestInit = {}) =>
      fetch(`${server.url}/runs/${RUN}/checkpoints/latest/files/${path}?redirect=true`, {
        redirect: 'manual',
        ...init,
      });

    test('is answered with a link, for an hour, that nobody keeps', async () => {
      const asked: unknown[] = [];
      publicLink = async (...call: unknown[]) => `http://store.example/${asked.push(call)}?signature=s`;
      const response = await follow('model/weights.bin');
      expect([response.status, await response.text()]).toEqual([307, '']);
      expect(response.headers.get('location')).toBe('http://store.example/1?signature=s');
      expect(response.headers.get('cache-control')).toBe('no-store');
      const options = { seconds: 3600, audience: 'public', filename: 'weights.bin' };
      expect(asked).toEqual([[`${PREFIX}/model/weights.bin`, options]]);
      expect(JSON.stringify(server.log)).not.toContain('signature');
    });

    test('comes as bytes where people cannot reach the store, and for HEAD, which a link would refuse', async () => {
      const response = await follow('model/config.json');
      expect([response.status, await response.text()]).toEqual([200, '{"r": 16}']);
      publicLink = async () => 'http://store.example/';
      const head = await follow('model/config.json', { method: 'HEAD' });
      expect([head.status, head.headers.get('content-length')]).toEqual([200, '9']);
    });

    test('of what is lost or already held is no link', async () => {
      publicLink = async () => 'http://store.example/';
      expect((await problemOf(await follow('lost.pt'))).kind).toBe('checkpoint-unusable');
      const held = await follow('model/config.json', { headers: { 'if-none-match': `"${sha256(config)}"` } });
      expect(held.status).toBe(304);
    });
  });

  test.each([
    'secret.txt',
    'manifest.json',
    'model',
    '..%2f..%2f..%2f..%2f..%2foutside.txt',
    '%2e%2e/%2e%2e/checkpoint-40/empty.txt',
    '%2fetc%2fpasswd',
    'model%5cconfig.json',
    'model/config.json%00',
  ])('%s is not one, so nothing is served', async (path) => {
    const answer = await server.raw(
      `GET /runs/${RUN}/checkpoints/latest/files/${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 404 [\s\S]*not-found/);
  });
});
