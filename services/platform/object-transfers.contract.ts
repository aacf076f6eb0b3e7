import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ObjectStore,
  type ObjectTransfers,
  type UploadFile,
  UploadIncompleteError,
  type UploadPart,
} from './object-store.ts';

const PART = 5 * 2 ** 20;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Bytes of a file, and how it is announced: in parts of 5 MiB. */
export function cutFile(bytes: Buffer): UploadFile {
  const parts = Array.from({ length: Math.ceil(bytes.length / PART) }, (_, index) =>
    sha256(bytes.subarray(index * PART, (index + 1) * PART)),
  );
  return { size: bytes.length, sha256: sha256(bytes), parts: { size: PART, sha256: parts } };
}

/** Does what a trainer does with a part. */
export async function sendPart(part: UploadPart, bytes: Buffer): Promise<Response> {
  return fetch(part.url, {
    method: 'PUT',
    headers: part.headers,
    body: new Uint8Array(bytes.subarray(part.start, part.end)),
  });
}

/** What every store does that is reached over HTTP; each implementation runs it in its own test, next to `describeObjectStore`. */
export function describeObjectTransfers(
  name: string,
  open: () => Promise<{ store: ObjectStore & { transfers: ObjectTransfers }; close: () => Promise<void> }>,
): void {
  describe(`${name} as a store with transfers`, () => {
    let store: ObjectStore;
    let transfers: ObjectTransfers;
    let close: () => Promise<void>;
    beforeAll(async () => {
      const opened = await open();
      ({ store, close } = opened);
      transfers = opened.store.transfers;
    });
    afterAll(() => close());

    const bytes = Buffer.alloc(2 * PART + 3, 'tandem');
    const file = cutFile(bytes);
    const unfinished = async (prefix: string) => {
      const found: string[] = [];
      for await (const { uploadId } of transfers.unfinished(prefix)) found.push(uploadId);
      return found;
    };

    it('takes a file in one request, and an empty one too', async () => {
      for (const content of [Buffer.from('whole'), Buffer.alloc(0)]) {
        const announced = { size: content.length, sha256: sha256(content) };
        const { uploadId, parts } = await transfers.plan('whole/a.json', announced, null);
        expect({ uploadId, parts: parts.map(({ start, end }) => [start, end]) }).toEqual({
          uploadId: null,
          parts: [[0, content.length]],
        });
        expect((await sendPart(parts[0] as UploadPart, content)).status).toBe(200);
        expect(await store.get('whole/a.json')).toEqual(content);
      }
    });

    it('takes a file whose sha256 is not known', async () => {
      const { parts } = await transfers.plan('plain', { size: 3 }, null);
      expect((await sendPart(parts[0] as UploadPart, Buffer.from('abc'))).status).toBe(200);
      expect((await store.get('plain')).toString()).toBe('abc');
    });

    it('refuses bytes that are not those announced, and stores nothing of them', async () => {
      const { parts } = await transfers.plan('refused', { size: 3, sha256: sha256(Buffer.from('abc')) }, null);
      expect((await sendPart(parts[0] as UploadPart, Buffer.from('abd'))).ok).toBe(false);
      const { headers: _, ...without } = parts[0] as UploadPart;
      expect((await sendPart({ ...without, headers: {} }, Buffer.from('abd'))).ok).toBe(false);
      expect(await store.head('refused')).toBeNull();
    });

    it('sends the parts of a file in any order, and shows it only when they are joined', async () => {
      const { uploadId, parts } = await transfers.plan('big/model.safetensors', file, null);
      expect(parts.map(({ start, end }) => [start, end])).toEqual([
        [0, PART],
        [PART, 2 * PART],
        [2 * PART, bytes.length],
      ]);
      for (const part of parts.toReversed()) expect((await sendPart(part, bytes)).status).toBe(200);
      expect(await store.head('big/model.safetensors')).toBeNull();
      await transfers.complete('big/model.safetensors', file, uploadId as string);
      expect(sha256(await store.get('big/model.safetensors'))).toBe(file.sha256);
    });

    it('does nothing when an upload is completed twice, or planned again after it', async () => {
      const { uploadId, parts } = await transfers.plan('twice', file, null);
      for (const part of parts) await sendPart(part, bytes);
      await transfers.complete('twice', file, uploadId as string);
      await transfers.complete('twice', file, uploadId as string);
      expect(await transfers.plan('twice', file, uploadId)).toEqual({ uploadId, parts: [] });
      expect(await store.head('twice')).toEqual({ size: bytes.length });
    });

    it('takes an upload for complete only when the object has its bytes, not just its size', async () => {
      const other = cutFile(Buffer.alloc(bytes.length, 'another'));
      const { uploadId, parts } = await transfers.plan('same-size', file, null);
      for (const part of parts) await sendPart(part, bytes);
      await expect(transfers.complete('same-size', other, uploadId as string)).rejects.toThrow(UploadIncompleteError);
      await transfers.complete('same-size', file, uploadId as string);
      await expect(transfers.complete('same-size', other, uploadId as string)).rejects.toThrow(UploadIncompleteError);
      const anew = await transfers.plan('same-size', other, uploadId);
      expect(anew.parts).toHaveLength(3);
      await transfers.abort('same-size', anew.uploadId as string);
    });

    it('asks only for the parts that are missing when an upload goes on', async () => {
      const { uploadId, parts } = await transfers.plan('resumed', file, null);
      await sendPart(parts[1] as UploadPart, bytes);
      await expect(transfers.complete('resumed', file, uploadId as string)).rejects.toThrow(UploadIncompleteError);
      const again = await transfers.plan('resumed', file, uploadId);
      expect(again.uploadId).toBe(uploadId);
      expect(again.parts.map(({ start }) => start)).toEqual([0, 2 * PART]);
      for (const part of again.parts) expect((await sendPart(part, bytes)).status).toBe(200);
      expect((await transfers.plan('resumed', file, uploadId)).parts).toEqual([]);
      await transfers.complete('resumed', file, uploadId as string);
      expect(sha256(await store.get('resumed'))).toBe(file.sha256);
    });

    it('asks again for a part that arrived with other bytes', async () => {
      const { uploadId, parts } = await transfers.plan('damaged', file, null);
      const damaged = Buffer.from(bytes);
      damaged[7] = 0;
      expect((await sendPart(parts[0] as UploadPart, damaged)).ok).toBe(false);
      const again = await transfers.plan('damaged', file, uploadId);
      expect(again.parts.map(({ start }) => start)).toEqual([0, PART, 2 * PART]);
      await transfers.abort('damaged', uploadId as string);
    });

    it('finds an unfinished upload by its key, and forgets one that is aborted', async () => {
      const { uploadId } = await transfers.plan('left/over', file, null);
      expect(await unfinished('left/over')).toEqual([uploadId]);
      // Some find it by its whole key only.
      expect([uploadId]).toEqual(expect.arrayContaining(await unfinished('left/')));
      expect(await unfinished('elsewhere/')).toEqual([]);
      await transfers.abort('left/over', uploadId as string);
      await transfers.abort('left/over', uploadId as string);
      expect(await unfinished('left/over')).toEqual([]);
      await expect(transfers.complete('left/over', file, uploadId as string)).rejects.toThrow(UploadIncompleteError);
      const anew = await transfers.plan('left/over', file, uploadId);
      expect(anew.uploadId).not.toBe(uploadId);
      expect(anew.parts).toHaveLength(3);
      await transfers.abort('left/over', anew.uploadId as string);
    });

    it('links to an object, ranges too', async () => {
      await store.put('linked', Buffer.from('0123456789'));
      const url = await transfers.link('linked', { seconds: 60, audience: 'trainer' });
      expect(await (await fetch(url)).text()).toBe('0123456789');
      const range = await fetch(url, { headers: { range: 'bytes=2-4' } });
      expect([range.status, await range.text()]).toEqual([206, '234']);
      expect((await fetch(url, { method: 'PUT', body: 'x' })).ok).toBe(false);
      const absent = await fetch(await transfers.link('not-there', { seconds: 60, audience: 'trainer' }));
      expect(absent.status).toBe(404);
    });
  });
}
