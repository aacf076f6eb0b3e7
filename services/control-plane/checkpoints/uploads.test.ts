import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { UploadFile, UploadPart } from '../../contracts/agent-operations.ts';
import { MAX_SINGLE_PUT, MIN_PART_SIZE } from '../../contracts/checkpoint.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { type MemoryStore, openMemoryStore } from '../../platform/testing/memory-store.ts';
import { type CheckpointFixture, commitOf, GRACE_MS, newest, openCheckpoints, RUN } from './checkpoint.fixtures.ts';

/** Uploads to a store that is no directory, as a trainer makes them. */
const by = { run: RUN, attempt: 1 };
const prefix = (step: number, attempt = 1) => `runs/${RUN}/checkpoints/a${attempt}/checkpoint-${step}/`;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

let memory: MemoryStore;
let fixture: CheckpointFixture;
beforeEach(async () => {
  memory = await openMemoryStore();
  fixture = openCheckpoints(RUN, memory.store);
});
afterEach(async () => {
  fixture.close();
  await memory.close();
});

const small = Buffer.from('{"global_step": 10}');
const large = Buffer.alloc(MIN_PART_SIZE * 2 + 100, 'weights');
function describeFile(path: string, bytes: Buffer): UploadFile & { sha256: string } {
  if (bytes.length <= MIN_PART_SIZE) return { path, size: bytes.length, sha256: sha256(bytes) };
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += MIN_PART_SIZE) parts.push(sha256(bytes.subarray(at, at + MIN_PART_SIZE)));
  return { path, size: bytes.length, sha256: sha256(bytes), parts: { size: MIN_PART_SIZE, sha256: parts } };
}
const contents: Record<string, Buffer> = { 'training_state.json': small, 'model/weights.bin': large };
const files = Object.entries(contents).map(([path, bytes]) => describeFile(path, bytes));

async function ask(step: number, asked: readonly UploadFile[] = files, at = fixture.checkpoints) {
  const { parts } = await at.requestUpload(by, { step, files: asked });
  return parts ?? {};
}
async function send(bytes: Buffer, { start, end, url, headers }: UploadPart): Promise<number> {
  const body = bytes.subarray(start, end);
  return (await fetch(url, { method: 'PUT', headers, body: new Uint8Array(body) })).status;
}
async function sendAll(parts: Record<string, UploadPart[]>, given = contents): Promise<void> {
  for (const [path, missing] of Object.entries(parts)) {
    for (const part of missing) expect(await send(given[path] as Buffer, part)).toBe(200);
  }
}
const counts = (parts: Record<string, UploadPart[]>) =>
  Object.fromEntries(Object.entries(parts).map(([path, missing]) => [path, missing.length]));
const commit = (step: number) => fixture.checkpoints.commit(by, commitOf(step, ['step'], { files }));
const keys = async () => {
  const found: string[] = [];
  for await (const { key } of memory.store.list('')) found.push(key);
  return found;
};

describe('an upload', () => {
  it('is sent in parts past the control plane, and becomes a checkpoint whose bytes are those that were sent', async () => {
    const parts = await ask(10);
    expect(counts(parts)).toEqual({ 'training_state.json': 1, 'model/weights.bin': 3 });
    await sendAll(parts);
    const manifest = await commit(10);
    expect(manifest.files).toEqual(files);
    expect(large.equals(await memory.store.get(`${prefix(10)}model/weights.bin`))).toBe(true);
    expect(memory.uploads.size).toBe(0);
  });

  it('that is asked for again is told only what is missing, and the control plane may have been started anew in between', async () => {
    const first = await ask(10);
    await send(small, (first['training_state.json'] as UploadPart[])[0] as UploadPart);
    await send(large, (first['model/weights.bin'] as UploadPart[])[1] as UploadPart);
    const again = await ask(10, files, fixture.over(memory.store));
    expect(counts(again)).toEqual({ 'training_state.json': 0, 'model/weights.bin': 2 });
    expect(again['model/weights.bin']?.map(({ start }) => start)).toEqual([0, MIN_PART_SIZE * 2]);
    await sendAll(again);
    expect(memory.uploads.size).toBe(1);
    await commit(10);
    expect(counts(await ask(11))).toEqual({ 'training_state.json': 1, 'model/weights.bin': 3 });
  });

  it('of a file that was joined already by a commit that failed is not sent again', async () => {
    const parts = await ask(10);
    await sendAll({ 'model/weights.bin': parts['model/weights.bin'] as UploadPart[] });
    await expect(commit(10)).rejects.toThrow(/training_state\.json was not uploaded; upload it and commit again/);
    const again = await ask(10);
    expect(counts(again)).toEqual({ 'training_state.json': 1, 'model/weights.bin': 0 });
    await sendAll(again);
    await commit(10);
  });

  it('of other content begins anew: no byte of the first stays, parts or whole', async () => {
    await sendAll(await ask(10));
    await expect(
      fixture.checkpoints.commit(by, commitOf(10, ['step'], { files: [...files, describeFile('x', small)] })),
    ).rejects.toThrow(/x was not uploaded/);
    const others = {
      'training_state.json': Buffer.from('{"global_step": 11}'),
      'model/weights.bin': Buffer.alloc(large.length, 'other'),
    };
    const changed = Object.entries(others).map(([path, bytes]) => describeFile(path, bytes));
    const parts = await ask(10, changed);
    expect(counts(parts)).toEqual({ 'training_state.json': 1, 'model/weights.bin': 3 });
    expect(await keys()).toEqual([]);
    await sendAll(parts, others);
    await fixture.checkpoints.commit(by, commitOf(10, ['step'], { files: changed }));
    expect(sha256(await memory.store.get(`${prefix(10)}model/weights.bin`))).toBe(changed[1]?.sha256);
    expect(memory.uploads.size).toBe(0);
  });

  it('whose bytes were damaged on the way is refused by the store', async () => {
    const parts = await ask(10);
    const part = (parts['model/weights.bin'] as UploadPart[])[0] as UploadPart;
    expect(await send(Buffer.alloc(large.length, 'x'), part)).toBe(400);
    expect(counts(await ask(10))['model/weights.bin']).toBe(3);
  });

  it('without hashes is sent as a whole each time it is asked for, since nobody knows what is there', async () => {
    const plain = [{ path: 'a.bin', size: small.length }];
    await sendAll(await ask(10, plain), { 'a.bin': small });
    expect(counts(await ask(10, plain))).toEqual({ 'a.bin': 1 });
  });

  it('leaves one multipart upload although the control plane was killed before it could note which', async () => {
    const forgetful: ObjectStore = {
      ...memory.store,
      transfers: {
        ...memory.store.transfers,
        plan: async (...args) => {
          await memory.store.transfers.plan(...args);
          throw new Error('killed');
        },
      },
    };
    await expect(ask(10, files, fixture.over(forgetful))).rejects.toThrow('killed');
    const parts = await ask(10);
    expect(memory.uploads.size).toBe(1);
    await sendAll(parts);
    await commit(10);
    expect(memory.uploads.size).toBe(0);
  });

  it('by two requests at once begins each file once', async () => {
    await Promise.all([ask(10), ask(10), ask(10)]);
    expect(memory.uploads.size).toBe(1);
  });

  it('of a file above 5 GiB that is not cut into parts is refused with the remedy', async () => {
    const huge = [{ path: 'optimizer.pt', size: MAX_SINGLE_PUT + 1, sha256: 'a'.repeat(64) }];
    await expect(ask(10, huge)).rejects.toThrow(/optimizer\.pt has 5368709121 bytes.*cut it into parts/);
    await expect(ask(10, huge)).rejects.toMatchObject({ type: 'invalid-request' });
  });

  it.each([
    'manifest.json',
    'pinned.json',
  ])('of %s is refused: it would make or keep a checkpoint past the control plane', async (path) => {
    await expect(ask(10, [{ path, size: 2 }])).rejects.toThrow(`${path} is written by the control plane; leave it out`);
  });

  it('of a file that is listed twice is refused', async () => {
    await expect(ask(10, [...files, ...files])).rejects.toMatchObject({ type: 'invalid-request' });
  });
});

describe('a commit', () => {
  it('of parts that are missing says what to do, and nothing of it exists until that is done', async () => {
    const parts = await ask(10);
    const [first] = parts['model/weights.bin'] as [UploadPart];
    await sendAll({ ...parts, 'model/weights.bin': [first] });
    await expect(commit(10)).rejects.toThrow(/not uploaded as a whole: part 2 is missing.*send what is missing/);
    await expect(commit(10)).rejects.toMatchObject({ type: 'checkpoint-unusable' });
    expect(fixture.checkpoints.list(RUN)).toEqual([]);
    await sendAll(await ask(10));
    await commit(10);
    expect(fixture.checkpoints.list(RUN)).toHaveLength(1);
  });

  it('of other content than was announced is refused, for its bytes are those that were announced', async () => {
    await sendAll(await ask(10));
    const lying = files.map((file) => ({ ...file, sha256: 'f'.repeat(64) }));
    await expect(fixture.checkpoints.commit(by, commitOf(10, ['step'], { files: lying }))).rejects.toThrow(
      /training_state\.json was announced for its upload with another size, sha256 or parts/,
    );
  });

  it('that is repeated, however often and at once, answers the same', async () => {
    await sendAll(await ask(10));
    const replies = await Promise.all([commit(10), commit(10), commit(10)]);
    for (const reply of replies) expect(reply).toEqual(replies[0]);
  });

  it('whose answer was lost is found done by whoever asks for the upload again, and other files for that step are a conflict', async () => {
    await sendAll(await ask(10));
    const manifest = await commit(10);
    expect(counts(await ask(10))).toEqual({ 'training_state.json': 0, 'model/weights.bin': 0 });
    expect(
      counts(
        await ask(
          10,
          files.map(({ path, size }) => ({ path, size })),
        ),
      )['model/weights.bin'],
    ).toBe(0);
    expect(await commit(10)).toEqual(manifest);
    const [state, weights] = files as [UploadFile, UploadFile];
    for (const others of [
      [state],
      [...files, describeFile('x', small)],
      [state, { ...weights, size: weights.size + 1 }],
      [state, { ...weights, sha256: 'f'.repeat(64) }],
      [state, { ...weights, path: 'model/other.bin' }],
    ]) {
      await expect(ask(10, others)).rejects.toMatchObject({ type: 'conflict' });
    }
  });

  it('to a directory is answered the same when it is asked for again, and its directory is not handed out', async () => {
    const local = openCheckpoints();
    await local.save(10);
    expect(await local.checkpoints.requestUpload(by, { step: 10, files: commitOf(10).files })).toEqual({
      directory: null,
      parts: { 'model/adapter_model.safetensors': [], 'optimizer.pt': [] },
    });
    local.close();
  });
});

describe('links', () => {
  it('lead to the bytes of every candidate, ranges too, and only where the store is no directory', async () => {
    for (const step of [10, 20]) {
      await sendAll(await ask(step));
      await commit(step);
    }
    const candidates = await fixture.checkpoints.withLinks(fixture.checkpoints.candidates(RUN, 'latest'));
    expect(candidates.map(({ label, directory }) => [label, directory])).toEqual([
      [`${RUN}/a1/checkpoint-20`, null],
      [`${RUN}/a1/checkpoint-10`, null],
    ]);
    for (const { urls } of candidates) {
      expect(Object.keys(urls ?? {}).sort()).toEqual(['model/weights.bin', 'training_state.json']);
      const whole = await fetch(urls?.['training_state.json'] as string);
      expect(Buffer.from(await whole.arrayBuffer())).toEqual(small);
      const part = await fetch(urls?.['model/weights.bin'] as string, { headers: { range: 'bytes=7-13' } });
      expect([part.status, await part.text()]).toEqual([206, 'weights']);
    }
  });

  it('are made for the choice and twenty older ones at most', async () => {
    for (let step = 1; step <= 25; step++) await fixture.save(step);
    const steps = fixture.checkpoints.candidates(RUN, 'latest').map(({ manifest }) => manifest?.step);
    expect(steps).toEqual(Array.from({ length: 21 }, (_, i) => 25 - i));
  });
});

describe('what is left', () => {
  const swept = async () => (await fixture.checkpoints.planPrune(RUN, newest(5))).sweep.map(({ id }) => id.step);

  it('of an upload is kept while its attempt is open, and goes when that has been over for the grace time', async () => {
    await sendAll({ 'training_state.json': (await ask(10))['training_state.json'] as UploadPart[] });
    expect(memory.uploads.size).toBe(1);
    fixture.pass(GRACE_MS * 5);
    await fixture.checkpoints.sweep();
    expect(memory.uploads.size).toBe(1);
    fixture.attempts.close(RUN);
    await fixture.checkpoints.sweep();
    expect(await keys()).toHaveLength(1);
    fixture.pass(GRACE_MS);
    expect(await swept()).toEqual([10]);
    await fixture.checkpoints.sweep();
    expect([await keys(), memory.uploads.size]).toEqual([[], 0]);
  });

  it('of an upload that its open attempt gave up goes once a later step was saved and the grace time is over', async () => {
    await ask(10);
    await sendAll(await ask(20));
    await commit(20);
    expect(await swept()).toEqual([]);
    fixture.pass(GRACE_MS);
    expect(await swept()).toEqual([10]);
    await fixture.checkpoints.prune(RUN, newest(5));
    expect(memory.uploads.size).toBe(0);
    expect(fixture.checkpoints.list(RUN)).toHaveLength(1);
  });

  it('of a deletion that was cut short goes with the next sweep', async () => {
    for (const step of [10, 20]) await fixture.save(step);
    const dying: ObjectStore = {
      ...memory.store,
      delete: async (key) => {
        if (!key.endsWith('manifest.json')) throw new Error('killed');
        await memory.store.delete(key);
      },
    };
    await expect(fixture.over(dying).prune(RUN, newest(1))).rejects.toThrow('killed');
    expect(fixture.checkpoints.list(RUN).map(({ step }) => step)).toEqual([20]);
    expect((await keys()).some((key) => key.startsWith(prefix(10)))).toBe(true);
    await fixture.checkpoints.sweep();
    expect((await keys()).filter((key) => !key.startsWith(prefix(20)))).toEqual([]);
  });

  it('of a run that is removed is nothing, and no upload', async () => {
    await sendAll(await ask(10));
    await commit(10);
    await ask(20);
    await fixture.checkpoints.remove(RUN);
    expect([await keys(), memory.uploads.size]).toEqual([[], 0]);
  });
});
