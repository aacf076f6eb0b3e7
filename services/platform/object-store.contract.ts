import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InvalidObjectKeyError, ObjectNotFoundError, type ObjectStore } from './object-store.ts';

/** What every object store does; each implementation runs it in its own test. */
export function describeObjectStore(
  name: string,
  open: () => Promise<{ store: ObjectStore; close: () => Promise<void> }>,
): void {
  describe(`${name} as an object store`, () => {
    let store: ObjectStore;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ store, close } = await open());
    });
    afterEach(() => close());

    const keys = async (prefix: string) => {
      const found: string[] = [];
      for await (const { key } of store.list(prefix)) found.push(key);
      return found;
    };
    const text = (body: string) => Buffer.from(body);

    it('gives back the bytes that were put, and their size', async () => {
      const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));
      await store.put('runs/a/model.bin', bytes);
      expect(Buffer.compare(await store.get('runs/a/model.bin'), bytes)).toBe(0);
      expect(await store.head('runs/a/model.bin')).toEqual({ size: 100_000 });
    });

    it('replaces an object as a whole, also by a shorter one', async () => {
      await store.put('a', text('a long value'));
      await store.put('a', text('short'));
      expect((await store.get('a')).toString()).toBe('short');
    });

    it('takes a stream, and refuses one that does not hold what was announced', async () => {
      await store.put('a', { stream: Readable.from([text('one '), text('two')]), size: 7 });
      expect((await store.get('a')).toString()).toBe('one two');
      await expect(store.put('b', { stream: Readable.from([text('one')]), size: 9 })).rejects.toThrow(
        /3 bytes where 9/,
      );
      expect(await store.head('b')).toBeNull();
    });

    it('keeps an empty object apart from an absent one', async () => {
      await store.put('empty', Buffer.alloc(0));
      expect(await store.head('empty')).toEqual({ size: 0 });
      expect(await store.head('absent')).toBeNull();
    });

    it('reads a range with both ends inclusive', async () => {
      await store.put('a', text('0123456789'));
      expect((await buffer(store.read('a', { start: 2, end: 4 }))).toString()).toBe('234');
      expect((await buffer(store.read('a'))).toString()).toBe('0123456789');
    });

    it('says which object is not there', async () => {
      await expect(store.get('runs/none')).rejects.toThrow(ObjectNotFoundError);
      await expect(buffer(store.read('runs/none'))).rejects.toThrow(/no object runs\/none/);
    });

    it('tells exactly one of many writers that it created the object, and keeps its bytes', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 16 }, (_, index) => store.putIfAbsent('m.json', text(`writer ${index}`))),
      );
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
      expect((await store.get('m.json')).toString()).toBe(`writer ${outcomes.indexOf('created')}`);
      expect(await store.putIfAbsent('m.json', text('late'))).toBe('exists');
    });

    it('lists by prefix in the order of the keys, and nothing that is unfinished', async () => {
      const all = ['a.b', 'a/b', 'a/b.json', 'a/c/d', 'a0', 'b'];
      for (const key of all.toReversed()) await store.put(key, text(key));
      expect(await keys('')).toEqual(all);
      expect(await keys('a/')).toEqual(['a/b', 'a/b.json', 'a/c/d']);
      expect(await keys('a/b')).toEqual(['a/b', 'a/b.json']);
      expect(await keys('zzz/')).toEqual([]);
    });

    it('deletes, and deletes what is not there without complaint', async () => {
      await store.put('a/b/c', text('x'));
      await store.delete('a/b/c');
      await store.delete('a/b/c');
      expect(await store.head('a/b/c')).toBeNull();
      expect(await keys('')).toEqual([]);
    });

    it('loses no write to a delete that empties the same directory at the same time', async () => {
      for (let round = 0; round < 20; round++) {
        await store.put('dir/old', text('old'));
        await Promise.all([store.delete('dir/old'), store.put('dir/new', text('new'))]);
        expect(await keys('dir/')).toEqual(['dir/new']);
        await store.delete('dir/new');
      }
    });

    it.each([
      '',
      '/etc/passwd',
      '../x',
      'a/../b',
      'a//b',
      'a/',
      './a',
      'a/.',
      'a b',
      'ä',
      'a\\b',
      '.tmp-x',
      'x'.repeat(2000),
    ])('refuses the key %j', async (key) => {
      await expect(store.put(key, text('x'))).rejects.toThrow(InvalidObjectKeyError);
      await expect(store.get(key)).rejects.toThrow(InvalidObjectKeyError);
      await expect(store.head(key)).rejects.toThrow(InvalidObjectKeyError);
      await expect(store.delete(key)).rejects.toThrow(InvalidObjectKeyError);
    });
  });
}
