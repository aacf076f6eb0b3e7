import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { describeObjectStore } from '../../services/platform/object-store.contract.ts';
import { cutFile, describeObjectTransfers } from '../../services/platform/object-transfers.contract.ts';
import { checkS3Store } from '../../services/platform/s3/check-s3-store.ts';
import { openS3Store, type S3StoreOptions } from '../../services/platform/s3/s3-store.ts';
import { storageFault } from '../../services/platform/storage-error.ts';
import { minioBinary, type S3Server, startMinio, startVersitygw, versitygwBinary } from '../support/s3-servers.ts';
import { mountSmallDisk, noMounts } from '../support/small-disk.ts';

/** More than the two pages of 1,000 that a server answers with. */
const LISTED = process.env['TANDEM_TEST_FULL'] ? 10_000 : 2_500;

/** Options for a part of the bucket that nothing else uses. */
const within = ({ endpoint, bucket, accessKey, secretKey, region }: S3Server): S3StoreOptions => ({
  ...{ endpoint, bucket, accessKey, secretKey, region },
  prefix: randomUUID(),
  publicUrl: null,
  conditionalWrites: true,
});

describe.each([
  { name: 'MinIO', binary: minioBinary(), start: startMinio, server: /MinIO/ },
  { name: 'versitygw', binary: versitygwBinary(), start: startVersitygw, server: /VERSITYGW/i },
])('$name', ({ name, binary, start, server: serverName }) => {
  describe.skipIf(binary === null)('as a real server', () => {
    let server: S3Server;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server?.close());
    const open = async () => ({ store: openS3Store(within(server)), close: async () => {} });

    describeObjectStore(name, open);
    describeObjectTransfers(name, open);

    it('passes the check at start, which leaves nothing behind', async () => {
      const options = within(server);
      expect(await checkS3Store({ ...options, createBucket: false })).toEqual({
        server: expect.stringMatching(serverName),
        conditionalWrites: true,
        checksums: true,
      });
      const store = openS3Store(options);
      for await (const { key } of store.list('')) expect.fail(`${key} was left behind`);
      for await (const { key } of store.transfers.unfinished('')) expect.fail(`${key} was left behind`);
    });

    it('creates a bucket only when it is told to', async () => {
      const options = { ...within(server), bucket: `made-${randomUUID()}` };
      await expect(checkS3Store({ ...options, createBucket: false })).rejects.toThrow(/has no bucket made-.*create it/);
      await checkS3Store({ ...options, createBucket: true });
      await checkS3Store({ ...options, createBucket: true });
    });

    it.each([
      ['a secret key', { secretKey: 'not-the-secret-key' }, /does not accept the keys .*TANDEM_S3_ACCESS_KEY/],
      ['an access key', { accessKey: 'nobody-knows-me' }, /does not accept the keys .*TANDEM_S3_ACCESS_KEY/],
      ['an address', { endpoint: 'http://127.0.0.1:1' }, /127\.0\.0\.1:1 refuses connections; .*TANDEM_S3_ENDPOINT/],
    ])('says what to do about %s that is wrong, and quotes no key', async (_, wrong, remedy) => {
      const options = { ...within(server), ...wrong, retry: { tries: 2, withinMs: 60_000, baseMs: 1, maxMs: 1 } };
      const error = await checkS3Store({ ...options, createBucket: false }).then(
        () => expect.fail('the check went well'),
        (failure: Error) => failure,
      );
      expect(error.message).toMatch(remedy);
      expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain(options.secretKey);
    });

    it('says what to do about a clock that is an hour off', async () => {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
      try {
        await expect(checkS3Store({ ...within(server), createBucket: false })).rejects.toThrow(/set both by NTP/);
      } finally {
        vi.useRealTimers();
      }
    });

    it('finds an unfinished upload by its key after the server has started anew', async () => {
      const { store } = await open();
      const { uploadId } = await store.transfers.plan('a/b', cutFile(Buffer.alloc(9)), null);
      await server.kill();
      await server.start();
      const found: string[] = [];
      for await (const upload of store.transfers.unfinished('a/b')) found.push(upload.uploadId);
      expect(found).toEqual([uploadId]);
      await store.transfers.abort('a/b', uploadId as string);
    });

    it('stores a stream that is longer than what is held in memory, and nothing of one with another size', async () => {
      const { store } = await open();
      const chunk = Buffer.alloc(2 ** 20, 'x');
      const chunks = (count: number) => Readable.from(Array.from({ length: count }, () => chunk));
      await store.put('long', { stream: chunks(40), size: 40 * chunk.length });
      expect(await store.head('long')).toEqual({ size: 40 * chunk.length });
      for (const count of [39, 41]) {
        await expect(store.put('wrong', { stream: chunks(count), size: 40 * chunk.length })).rejects.toThrow(
          /bytes where/,
        );
      }
      expect(await store.head('wrong')).toBeNull();
      for await (const { key } of store.transfers.unfinished('wrong')) expect.fail(`${key} was left behind`);
    });

    it(`lists ${LISTED} objects in order`, async () => {
      const { store } = await open();
      const keys = Array.from({ length: LISTED }, (_, index) => `many/${String(index).padStart(5, '0')}`);
      for (let at = 0; at < keys.length; at += 50) {
        await Promise.all(keys.slice(at, at + 50).map((key) => store.put(key, Buffer.alloc(0))));
      }
      const found: string[] = [];
      for await (const { key } of store.list('many/')) found.push(key);
      expect(found).toEqual(keys);
    });

    it('shows people links under the address they know, with the name of the file', async () => {
      const store = openS3Store({ ...within(server), publicUrl: 'https://files.example' });
      await store.put('a/b.bin', Buffer.from('x'));
      const link = await store.transfers.link('a/b.bin', { seconds: 60, audience: 'public', filename: 'run "1".bin' });
      const url = new URL(link as string);
      expect(url.origin).toBe('https://files.example');
      expect(url.searchParams.get('response-content-disposition')).toBe('attachment; filename="run__1_.bin"');
      const none = openS3Store(within(server)).transfers;
      expect(await none.link('a/b.bin', { seconds: 60, audience: 'public', filename: 'b.bin' })).toBeNull();
    });

    it.skipIf(noMounts !== null)(
      'says that its disk is full, and takes objects again once there is space',
      async () => {
        const disk = mountSmallDisk('80m');
        const reserve = join(disk.path, '.reserve');
        writeFileSync(reserve, Buffer.alloc(40 * 2 ** 20));
        const small = await start({ data: disk.path });
        try {
          const store = openS3Store(within(small));
          await store.put('kept', Buffer.from('kept'));
          const fill = async () => {
            for (let index = 0; index < 64; index++) await store.put(`filler-${index}`, Buffer.alloc(2 ** 20));
          };
          const error = await fill().then(
            () => expect.fail('it never became full'),
            (failure: Error) => failure,
          );
          expect(error.message).toMatch(/has no space left; free space in it/);
          expect(storageFault(error)?.kind).toBe('full');
          expect((await store.get('kept')).toString()).toBe('kept');
          rmSync(reserve);
          // MinIO looks at its disk once a second.
          const again = () => store.put('again', Buffer.alloc(2 ** 20)).then(() => 'stored', String);
          await expect.poll(again, { timeout: 30_000, interval: 100 }).toBe('stored');
        } finally {
          await small.close();
          disk.dispose();
        }
      },
    );

    it('needs no second try for what follows a refused write', async () => {
      const store = openS3Store({ ...within(server), retry: { tries: 1, withinMs: 60_000, baseMs: 1, maxMs: 1 } });
      for (let round = 0; round < 5; round++) {
        await store.putIfAbsent('m.json', Buffer.from('x'));
        await store.put(`after-${round}`, Buffer.from('y'));
      }
    });

    it('writes manifests once without conditional writes as well, as long as there is one writer', async () => {
      const store = openS3Store({ ...within(server), conditionalWrites: false });
      expect(await store.putIfAbsent('m.json', Buffer.from('1'))).toBe('created');
      expect(await store.putIfAbsent('m.json', Buffer.from('2'))).toBe('exists');
      expect((await store.get('m.json')).toString()).toBe('1');
    });
  });
});
