import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ModelHub, startModelHub } from '../../../test/support/model-hub.ts';
import { createHubClient } from './hub-client.ts';

const REPO = 'acme/small';
const files = {
  'README.md': '# small',
  'config.json': '{"model_type":"qwen3"}',
  'tokenizer.json': '{}',
  'tokenizer_config.json': '{}',
  'merges.txt': 'a b',
  'model.safetensors': 'weights',
  'pytorch_model.bin': 'pickled',
  'onnx/model.onnx': 'onnx',
  'modeling_small.py': 'import os',
  'consolidated.safetensors': 'the same again',
};

let hub: ModelHub;
beforeEach(async () => {
  hub = await startModelHub();
});
afterEach(() => hub.close());

const signal = new AbortController().signal;
const client = (token: string | null = null) => createHubClient({ endpoint: hub.url, token });
const lookUp = (revision = 'main', token: string | null = null) => client(token).lookUp(REPO, revision, signal);
async function read(commit: string, path: string, from: number, token: string | null = null) {
  const listing = await lookUp('main', token);
  const file = listing.files.find((each) => each.path === path)!;
  const { at, body } = await client(token).bytes(REPO, commit).open(file, from, signal);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return { at, text: Buffer.concat(chunks).toString() };
}

describe('what is looked up', () => {
  it('is the commit that a branch means, and the files that a model needs, with sizes and hashes', async () => {
    const commit = hub.put(REPO, { files });
    const listing = await lookUp();
    expect(listing.origin).toEqual({ kind: 'hub', repo: REPO, revision: 'main', commit });
    expect(listing.config).toEqual({ model_type: 'qwen3' });
    expect(listing.files.map(({ path }) => path)).toEqual([
      'config.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'merges.txt',
      'model.safetensors',
    ]);
    // As `printf weights | sha256sum` and `printf '{}' | git hash-object --stdin` say.
    expect(listing.files.at(-1)).toEqual({
      path: 'model.safetensors',
      size: 7,
      hash: { algorithm: 'sha256', hex: '9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c' },
    });
    expect(listing.files[1]?.hash).toEqual({ algorithm: 'git-blob', hex: '9e26dfeeb6e641a33dae4961196235bdb965b21b' });
  });

  it('is the same where a mirror states sizes and hashes in the headers of the files alone', async () => {
    hub.put(REPO, { files });
    const listing = await lookUp();
    hub.statesSizes = false;
    expect(await lookUp()).toEqual(listing);
    expect(hub.requests.some(({ server }) => server === 'files')).toBe(false);
  });

  it('is no size that only an answer which leads elsewhere has', async () => {
    hub.put(REPO, { files });
    hub.statesSizes = false;
    const elsewhere = { Location: 'http://files.example/weights', 'Content-Length': '1093' };
    hub.fault({ path: /resolve.*model\.safetensors/, status: 302, headers: elsewhere });
    await expect(lookUp()).rejects.toThrow('nobody states how large model.safetensors of acme/small is');
  });

  it('are the shards that the index names, and no others', async () => {
    const { 'model.safetensors': _, ...rest } = files;
    const index = { weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' } };
    const shards = { 'model-00001-of-00002.safetensors': '1', 'model-00002-of-00002.safetensors': '2' };
    const indexed = { ...rest, ...shards, 'model.safetensors.index.json': JSON.stringify(index) };
    hub.put(REPO, { files: indexed });
    const names = (await lookUp()).files.map(({ path }) => path).filter((path) => path.includes('safetensors'));
    expect(names).toEqual([...Object.keys(shards), 'model.safetensors.index.json']);
    const { 'model-00002-of-00002.safetensors': _gone, ...half } = indexed;
    hub.put(REPO, { files: half });
    await expect(lookUp()).rejects.toThrow('names model-00002-of-00002.safetensors, which is not there');
    hub.put(REPO, { files: { ...half, 'model.safetensors.index.json': '{"weight_map":{"a":"../up.safetensors"}}' } });
    await expect(lookUp()).rejects.toThrow('names no files of weights beside it');
  });

  it.each([
    [
      ['config.json', 'pytorch_model.bin'],
      'no model.safetensors, only pytorch_model.bin; choose a revision with safetensors',
    ],
    [['config.json', 'adapter_model.safetensors'], 'only an adapter (adapter_model.safetensors); name its base model'],
    [['model.safetensors'], 'no config.json'],
  ])('is refused before anything is read where there is only %j', async (names, why) => {
    hub.put(REPO, { files: Object.fromEntries(names.map((name) => [name, '{}'])) });
    await expect(lookUp()).rejects.toMatchObject({ kind: 'missing', message: expect.stringContaining(why) });
    expect(hub.requests).toHaveLength(1);
  });
});

describe('a model that may not be had', () => {
  it('is gated: says where to ask and what to set, and comes with the token', async () => {
    hub.put(REPO, { files, gated: true });
    await expect(lookUp()).rejects.toMatchObject({
      kind: 'gated',
      message: `${REPO} is only for those whom its owner lets in: ask at ${hub.url}/${REPO}, then set HF_TOKEN to a token of that account`,
    });
    expect((await lookUp('main', hub.token)).files).toHaveLength(5);
    await expect(lookUp('main', 'hf_old')).rejects.toThrow('does not accept HF_TOKEN');
  });

  it('is private, or not there: nobody can tell which, so both are named', async () => {
    await expect(lookUp()).rejects.toMatchObject({
      kind: 'missing',
      message: `${hub.url} has no model ${REPO} for this caller; look how it is spelled, set HF_TOKEN if it is private`,
    });
    hub.put(REPO, { files, private: true });
    await expect(lookUp()).rejects.toMatchObject({ kind: 'missing' });
    expect((await lookUp('main', hub.token)).files).toHaveLength(5);
  });

  it('has no such revision', async () => {
    hub.put(REPO, { files });
    await expect(lookUp('v9')).rejects.toThrow(`${REPO} has no revision v9; set model.revision`);
  });

  it.each([
    [429, { 'Retry-After': '7' }, 7000],
    [429, { RateLimit: '"api";r=0;t=9' }, 9000],
    [503, {}, null],
  ])('is asked for again after a %i, as late as the hub says', async (status, headers, retryAfterMs) => {
    hub.put(REPO, { files });
    hub.fault({ path: /^\/api/, status, headers });
    await expect(lookUp()).rejects.toMatchObject({ kind: 'unreachable', retryAfterMs });
  });

  it('is not at a server that is no hub', async () => {
    hub.fault({ path: /^\/api/, status: 200 });
    await expect(lookUp()).rejects.toThrow(/is no JSON; look whether HF_ENDPOINT is a model hub/);
    await hub.close();
    await expect(lookUp()).rejects.toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('HF_ENDPOINT'),
    });
  });
});

describe('the bytes of a file', () => {
  it('come from where the hub leads to, from any position, and the token stays with the hub', async () => {
    const commit = hub.put(REPO, { files, gated: true });
    expect(await read(commit, 'model.safetensors', 0, hub.token)).toEqual({ at: 0, text: 'weights' });
    expect(await read(commit, 'model.safetensors', 3, hub.token)).toEqual({ at: 3, text: 'ghts' });
    const sent = hub.requests.filter(({ server }) => server === 'files');
    expect(sent.map(({ range }) => range)).toEqual([null, 'bytes=3-']);
    expect(sent.every(({ authorization }) => authorization === null)).toBe(true);
    expect(
      hub.requests.filter(({ server }) => server === 'hub').every(({ authorization }) => authorization !== null),
    ).toBe(true);
  });

  it('begin anew where the other side knows no ranges', async () => {
    const commit = hub.put(REPO, { files });
    hub.fault({ path: /model\.safetensors/, ignoreRange: true });
    expect(await read(commit, 'model.safetensors', 3)).toEqual({ at: 0, text: 'weights' });
  });

  it('are not fetched from an address that is refused to users, nor without encryption from a hub that has it', async () => {
    const commit = hub.put(REPO, { files });
    hub.fault({
      path: /resolve.*model/,
      status: 302,
      headers: { Location: 'http://169.254.169.254/latest/meta-data' },
    });
    await expect(read(commit, 'model.safetensors', 0)).rejects.toThrow('169.254.169.254 is link-local');
    hub.fault({ path: /resolve.*model/, status: 302, headers: { Location: 'file:///etc/passwd' } });
    await expect(read(commit, 'model.safetensors', 0)).rejects.toThrow('not followed');
    hub.fault({
      path: /resolve.*model/,
      times: 9,
      status: 302,
      headers: { Location: `/${REPO}/resolve/${commit}/model.safetensors` },
    });
    await expect(read(commit, 'model.safetensors', 0)).rejects.toThrow('leads on and on');
  });
});
