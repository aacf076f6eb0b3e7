import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ModelHub, startModelHub } from '../../../test/support/model-hub.ts';
import { openFileStore } from '../../platform/file-store.ts';
import { createLogger } from '../../platform/logger.ts';
import { removeTree } from '../../platform/testing/remove-tree.ts';
import { createModelCache } from './model-cache.ts';
import { createModels, type FetchNews, type FoundModel, type Models, type ModelsOptions } from './models.ts';

const REPO = 'acme/small';
const weights = Buffer.from(Array.from({ length: 300 }, (_, i) => i % 251));
const files = { 'config.json': '{"model_type":"qwen3"}', 'tokenizer.json': '{"a":1}', 'model.safetensors': weights };

let root: string;
let hub: ModelHub;
let news: FetchNews[];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tandem-models-'));
  hub = await startModelHub();
  news = [];
});
afterEach(async () => {
  await hub.close();
  await removeTree(root);
});

const signal = new AbortController().signal;
const open = (options: Partial<ModelsOptions> = {}) =>
  createModels({
    root,
    hub: { endpoint: hub.url, token: null },
    store: openFileStore(join(root, 'objects')),
    maxBytes: null,
    uses: () => [],
    steady: () => performance.now(),
    log: createLogger({ level: 'error', terminal: null }),
    retry: { tries: 3, baseMs: 1, maxMs: 2 },
    ...options,
  });
/** A clock that goes on by 20 minutes each time it is read. */
const hasty = () => {
  let minutes = 0;
  return () => {
    minutes += 20;
    return minutes * 60_000;
  };
};
const find = (revision = 'main') => open().findOnHub(REPO, revision, signal);
const fetchInto = (found: FoundModel, stop = signal) =>
  open().fetch(found.directory, found.listing.origin, { signal: stop, tell: (each) => news.push(each) });
async function kept(): Promise<FoundModel> {
  const found = await find();
  await open().keep(found);
  return found;
}
const isWhole = ({ directory }: FoundModel) =>
  Object.entries(files).every(([name, content]) => readFileSync(join(directory, name)).equals(Buffer.from(content)));

describe('a model that is fetched', () => {
  it('is there under its commit, whole, tells of it, and is not fetched again', async () => {
    const commit = hub.put(REPO, { files });
    const found = await kept();
    expect(found).toMatchObject({ isComplete: false, directory: join(root, 'hub', REPO, commit) });
    await fetchInto(found);
    expect(isWhole(found)).toBe(true);
    expect(readdirSync(found.directory).sort()).toEqual(Object.keys(files).sort());
    expect(readdirSync(join(root, 'hub', REPO)).sort()).toEqual([commit, `${commit}.json`, 'revisions.json'].sort());
    expect(news.map(({ message }) => message)).toEqual([
      `acme/small at ${commit.slice(0, 7)} is being fetched: 3 files, 0.3 kB`,
      `acme/small at ${commit.slice(0, 7)} is there: 3 files, 0.3 kB, each with its stated hash`,
    ]);
    const asked = hub.requests.length;
    await fetchInto(found);
    expect(hub.requests).toHaveLength(asked);
    expect(await find()).toMatchObject({ isComplete: true });
  });

  it('goes on at the byte where it broke off, wherever that is', async () => {
    hub.put(REPO, { files });
    for (const at of [1, 17, 299]) {
      const found = await kept();
      hub.fault({ path: /model\.safetensors/, cutAfter: at });
      await fetchInto(found);
      expect(isWhole(found)).toBe(true);
      expect(hub.requests.at(-1)).toMatchObject({ server: 'files', range: `bytes=${at}-` });
      await removeTree(join(root, 'hub'));
    }
  });

  it('goes on with what a process before this one has left, however much that is', async () => {
    hub.put(REPO, { files });
    const found = await kept();
    for (const left of [0, 1, 150, 300, 301]) {
      await fetchInto(found);
      await removeTree(found.directory);
      await mkdir(`${found.directory}.partial`);
      const part = join(`${found.directory}.partial`, 'model.safetensors.part');
      writeFileSync(part, Buffer.concat([weights, weights]).subarray(0, left));
      hub.requests.length = 0;
      await fetchInto(found);
      expect(isWhole(found)).toBe(true);
      const ranges = hub.requests.filter(({ server }) => server === 'files').map(({ range }) => range);
      expect(ranges, `${left} bytes were left`).toEqual(
        left === 300 ? [] : [left === 0 || left === 301 ? null : `bytes=${left}-`],
      );
    }
  });

  it('is never made of wrong bytes: those on disk are fetched anew, those that keep coming are refused', async () => {
    hub.put(REPO, { files });
    const found = await kept();
    await mkdir(`${found.directory}.partial`, { recursive: true });
    writeFileSync(join(`${found.directory}.partial`, 'model.safetensors.part'), weights.toReversed().subarray(0, 100));
    await fetchInto(found);
    expect(isWhole(found)).toBe(true);
    await removeTree(found.directory);
    hub.fault({ path: /model\.safetensors/, wrongBytes: true, times: 2 });
    await expect(fetchInto(found)).rejects.toMatchObject({
      kind: 'damaged',
      message: expect.stringContaining('other bytes'),
    });
    expect(existsSync(found.directory)).toBe(false);
    hub.fault({ path: /tokenizer\.json/, wrongBytes: true });
    await fetchInto(found);
    expect(isWhole(found)).toBe(true);
  });

  it('is tried on through refusals that pass, and goes by a link of its own when the old one holds no longer', async () => {
    hub.put(REPO, { files });
    const found = await kept();
    hub.fault({ path: /resolve.*model/, status: 429, headers: { 'Retry-After': '0' } });
    hub.fault({ path: /^\/files\//, status: 403 });
    hub.fault({ path: /tokenizer/, status: 500, times: 2 });
    await fetchInto(found);
    expect(isWhole(found)).toBe(true);
    expect(news.filter(({ name }) => name === 'warning')).toEqual([]);
  });

  it('is tried on as a whole when its tries run out, says so once, and is given up after an hour without a byte', async () => {
    hub.put(REPO, { files });
    const found = await kept();
    hub.fault({ path: /resolve/, status: 503, times: 20 });
    await fetchInto(found);
    expect(isWhole(found)).toBe(true);
    expect(news.map(({ name }) => name)).toEqual(['model_fetching', 'warning', 'model_fetched']);
    expect(news[1]?.message).toMatch(/could not be fetched yet, it is tried on: .* answered 503; .*HF_ENDPOINT/);
    await removeTree(found.directory);
    await hub.close();
    const late = open({ steady: hasty() });
    const asked = late.fetch(found.directory, found.listing.origin, { signal, tell: () => undefined });
    await expect(asked).rejects.toMatchObject({ kind: 'unreachable' });
  });

  it('is given up at once where trying cannot help', async () => {
    hub.put(REPO, { files });
    const found = await kept();
    hub.put(REPO, { files, gated: true });
    await expect(fetchInto(found)).rejects.toMatchObject({ kind: 'gated' });
  });

  it('is left as it is when nobody wants it any more, and gone on with later', async () => {
    hub.put(REPO, { files });
    const found = await kept();
    hub.fault({ path: /model\.safetensors/, until: new Promise(() => undefined) });
    const stop = new AbortController();
    const fetching = fetchInto(found, stop.signal);
    const ended = expect(fetching).rejects.toThrow('enough');
    await expect.poll(() => hub.requests.some(({ server }) => server === 'files')).toBe(true);
    expect(open().describe(found.directory, found.listing.origin)).toContain('waits for its model, acme/small at ');
    stop.abort(new Error('enough'));
    await ended;
    expect(existsSync(found.directory)).toBe(false);
    await fetchInto(found);
    expect(isWhole(found)).toBe(true);
  });
});

describe('models that are fetched at the same time', () => {
  const fetchAll = async (models: Models, repos: readonly string[], stop: AbortSignal) => {
    const found = await Promise.all(repos.map((repo) => models.findOnHub(repo, 'main', signal)));
    await Promise.all(found.map(models.keep));
    return found.map(({ directory, listing }) =>
      models.fetch(directory, listing.origin, { signal: stop, tell: () => undefined }),
    );
  };
  const repos = ['acme/a', 'acme/b', 'acme/c', 'acme/d', 'acme/e'];
  const asked = () => hub.requests.filter(({ server }) => server === 'files').length;

  it('do not wait for those that wait for a hub', async () => {
    for (const repo of repos) hub.put(repo, { files });
    const stop = new AbortController();
    const models = open({ retry: { tries: 1, baseMs: 60_000, maxMs: 60_000 } });
    hub.fault({ path: /[a-d].resolve.*model\.safetensors/, status: 503, times: 4 });
    const fetching = await fetchAll(models, repos, stop.signal);
    const ended = Promise.allSettled(fetching);
    await expect(fetching[4]).resolves.toBeUndefined();
    stop.abort(new Error('enough'));
    expect((await ended).map(({ status }) => status)).toEqual([...Array(4).fill('rejected'), 'fulfilled']);
  });

  it('are four; the next begins when one of them is there', async () => {
    for (const repo of repos) hub.put(repo, { files });
    let release = () => {};
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    hub.fault({ path: /^.files.model\.safetensors/, until, times: 4 });
    const fetching = await fetchAll(open(), repos, signal);
    await expect.poll(asked).toBe(4);
    // Which four is open: each looks at the disk before it stands in the line.
    const weights = hub.requests.flatMap(({ path }) => /^(.*).resolve.*model\.safetensors/.exec(path)?.[1] ?? []);
    expect(new Set(weights).size).toBe(4);
    release();
    await Promise.all(fetching);
    expect(asked()).toBe(5);
  });
});

describe('a revision', () => {
  it('means the newest commit each time it is asked for, and a commit what it always did', async () => {
    const first = hub.put(REPO, { files });
    await fetchInto(await kept());
    const second = hub.put(REPO, { files: { ...files, 'tokenizer.json': '{"a":2}' } });
    expect((await find()).listing.origin).toMatchObject({ commit: second });
    const pinned = await find(first);
    expect(pinned).toMatchObject({ isComplete: true, listing: { origin: { commit: first } } });
  });

  it('may be called like a property that every object has', async () => {
    hub.put(REPO, { files });
    await fetchInto(await kept());
    expect(await createModelCache(root).lastCommit(REPO, 'constructor')).toBeNull();
  });

  it('is what it was when the hub cannot be reached, where that is here whole; a commit needs no hub at all', async () => {
    const commit = hub.put(REPO, { files });
    const found = await kept();
    hub.fault({ path: /^\/api\/models/, status: 503, times: 2 });
    await expect(find()).rejects.toMatchObject({ kind: 'unreachable' });
    await fetchInto(found);
    expect(await find()).toMatchObject({
      isComplete: true,
      warning: expect.stringContaining(`commit ${commit} is used`),
    });
    const asked = hub.requests.length;
    expect(await find(commit)).toMatchObject({ isComplete: true, warning: null });
    expect(hub.requests).toHaveLength(asked);
  });
});

describe('a model of the object store', () => {
  const put = async (names: Record<string, string | Uint8Array>) => {
    const store = openFileStore(join(root, 'objects'));
    for (const [name, content] of Object.entries(names)) await store.put(`models/mine/${name}`, Buffer.from(content));
  };
  const findStored = () => open().findInStore('models/mine/', signal);

  it('is fetched into the same cache, by size and by the hashes that stand beside it', async () => {
    const sum = '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03';
    await put({ ...files, 'tokenizer.json': 'hello\n', SHA256SUMS: `${sum}  tokenizer.json\n` });
    const found = await findStored();
    await open().keep(found);
    await fetchInto(found);
    expect(readdirSync(found.directory).sort()).toEqual(Object.keys(files).sort());
    expect(found.listing.files.filter(({ hash }) => hash !== null)).toHaveLength(1);
    await put({ 'model.safetensors': 'others' });
    expect((await findStored()).directory).not.toBe(found.directory);
  });

  it('is never made of parts of two versions: without a hash a file begins anew', async () => {
    await put(files);
    const found = await findStored();
    await open().keep(found);
    await mkdir(`${found.directory}.partial`, { recursive: true });
    const older = weights.map((byte) => byte ^ 1);
    writeFileSync(join(`${found.directory}.partial`, 'model.safetensors.part'), older.subarray(0, 100));
    await fetchInto(found);
    expect(isWhole(found)).toBe(true);
    await removeTree(found.directory);
    const store = openFileStore(join(root, 'objects'));
    const begins: (number | undefined)[] = [];
    const read: typeof store.read = (key, range) => {
      if (!key.endsWith('model.safetensors')) return store.read(key, range);
      begins.push(range?.start);
      return begins.length === 1 ? Readable.from([older.subarray(0, 100)]) : store.read(key, range);
    };
    await open({ store: { ...store, read } }).fetch(found.directory, found.listing.origin, { signal, tell: () => {} });
    expect(isWhole(found)).toBe(true);
    expect(begins).toEqual([0, 0]);
  });

  it('is given up after an hour in which the same bytes came again and again', async () => {
    await put(files);
    const found = await findStored();
    await open().keep(found);
    const store = openFileStore(join(root, 'objects'));
    const read: typeof store.read = (key, range) =>
      key.endsWith('model.safetensors') ? Readable.from([weights.subarray(0, 10)]) : store.read(key, range);
    const models = open({ store: { ...store, read }, steady: hasty() });
    const asked = models.fetch(found.directory, found.listing.origin, { signal, tell: () => {} });
    await expect(asked).rejects.toThrow('model.safetensors broke off after 10 of 300 bytes');
  });

  it('with a wrong hash beside it is refused', async () => {
    await put({ ...files, SHA256SUMS: `${'0'.repeat(64)} *model.safetensors\n` });
    await expect(findStored().then(fetchInto)).rejects.toMatchObject({ kind: 'damaged' });
  });

  it('is looked for below models/ alone', async () => {
    await expect(findStored()).rejects.toThrow('store:models/mine holds nothing; copy a model directory there');
    for (const prefix of ['runs/run-7k3m9q2d/checkpoints', 'models/../homes', 'models//x', ''])
      await expect(open().findInStore(prefix, signal)).rejects.toThrow('name it as in store:models/my-model');
  });
});
