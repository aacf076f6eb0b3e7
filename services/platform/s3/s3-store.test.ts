import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { ObjectNotFoundError } from '../object-store.ts';
import { storageFault } from '../storage-error.ts';
import { openS3Store } from './s3-store.ts';
import {
  type Answer,
  type Asked,
  refusal,
  type ScriptedServer,
  startScriptedServer,
} from './testing/scripted-server.ts';

let server: ScriptedServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function storeThatAnswers(answer: (asked: Asked, earlier: number) => Answer) {
  server = await startScriptedServer(answer);
  return { store: openS3Store(server.options), asked: server.asked };
}

const failed = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => expect.fail('it went well'),
    (error: Error) => error,
  );
const bytes = (text: string) => Buffer.from(text);

describe('a request that fails', () => {
  it.each<[string, Answer]>([
    ['a connection that is reset', 'reset'],
    ['500', refusal(500, 'InternalError')],
    ['503', refusal(503, 'SlowDown')],
    ['a proxy without XML', { status: 502, body: '<html>Bad Gateway</html>' }],
    ['409 of a directory that is being removed', refusal(409, 'ExistingObjectIsDirectory')],
    ['409 of a concurrent write', refusal(409, 'ConditionalRequestConflict')],
  ])('is sent again after %s', async (_, failure) => {
    const { store, asked } = await storeThatAnswers((_asked, earlier) =>
      earlier < 2 ? failure : { status: 200, body: 'kept' },
    );
    expect((await store.get('a')).toString()).toBe('kept');
    expect(asked).toHaveLength(3);
  });

  it('is not sent again when its time is over, though there are tries left', async () => {
    server = await startScriptedServer(() => 'reset');
    const retry = { tries: 1000, withinMs: 30, baseMs: 20, maxMs: 20 };
    await failed(openS3Store({ ...server.options, retry }).get('a'));
    expect(server.asked.length).toBeLessThan(6);
  });

  it('is sent again when its answer breaks off, and gives the whole answer', async () => {
    const { store } = await storeThatAnswers((_asked, earlier) =>
      earlier === 0 ? { status: 200, body: 'the whole', cut: 3 } : { status: 200, body: 'the whole' },
    );
    expect((await store.get('a')).toString()).toBe('the whole');
  });

  it.each([
    [
      403,
      'SignatureDoesNotMatch',
      'refused',
      'does not accept the keys (SignatureDoesNotMatch); check TANDEM_S3_ACCESS_KEY',
    ],
    [403, 'InvalidAccessKeyId', 'refused', 'check TANDEM_S3_ACCESS_KEY and TANDEM_S3_SECRET_KEY'],
    [
      403,
      'AccessDenied',
      'refused',
      'denies access; allow the keys to list, read, write and delete in the bucket tandem',
    ],
    [403, 'RequestTimeTooSkewed', 'refused', 'set both by NTP'],
    [404, 'NoSuchBucket', 'refused', 'has no bucket tandem; create it'],
    [400, 'AuthorizationHeaderMalformed', 'refused', 'is not in the region us-east-1'],
    [507, 'XMinioStorageFull', 'full', 'has no space left; free space in it'],
    [507, 'InsufficientStorage', 'full', 'has no space left; free space in it'],
    [403, 'QuotaExceeded', 'full', 'raise the quota'],
    [400, 'SomethingNew', 'refused', 'answers 400 SomethingNew: because; look at its log'],
  ])('with %i %s is not sent again, and says what to do', async (status, code, kind, remedy) => {
    const { store, asked } = await storeThatAnswers(() => refusal(status, code));
    const error = await failed(store.put('a', bytes('x')));
    expect(asked).toHaveLength(1);
    expect(error.message).toContain(`object store at http://127.0.0.1:`);
    expect(error.message).toContain(remedy);
    expect(storageFault(error)?.kind).toBe(kind);
  });

  it('because the disk fills up meanwhile is not sent again, though the server says 500', async () => {
    const body = '<Error><Code>InternalError</Code><Message>cause(no space left on device)</Message></Error>';
    const { store, asked } = await storeThatAnswers(() => ({ status: 500, body }));
    expect(storageFault(await failed(store.put('a', bytes('x'))))?.kind).toBe('full');
    expect(asked).toHaveLength(1);
  });

  it('for good says where the store is, quotes neither keys nor signatures, and counts as passing by itself', async () => {
    const { store, asked } = await storeThatAnswers(() => refusal(503, 'SlowDown'));
    const error = await failed(store.put('a', bytes('x')));
    expect(asked).toHaveLength(4);
    expect(storageFault(error)).toEqual({
      kind: 'unreachable',
      message: `the object store at ${server?.options.endpoint} is too busy or not ready (SlowDown); look at its load and its log`,
    });
    const everything = `${error.stack} ${error.cause} ${JSON.stringify(error)} ${JSON.stringify(error.cause)}`;
    expect(everything).not.toMatch(/the-secret-key|the-access-key|Signature=/);
  });

  it('for want of an object names the object', async () => {
    const { store, asked } = await storeThatAnswers(() => refusal(404, 'NoSuchKey'));
    expect(await failed(store.get('runs/none'))).toBeInstanceOf(ObjectNotFoundError);
    expect(await failed(buffer(store.read('runs/none')))).toBeInstanceOf(ObjectNotFoundError);
    expect(asked).toHaveLength(2);
  });
});

describe('putIfAbsent', () => {
  const lostReply =
    (stored: string) =>
    (asked: Asked, earlier: number): Answer => {
      if (asked.method === 'GET') return { status: 200, body: stored };
      return earlier === 0 ? 'reset' : refusal(412, 'PreconditionFailed');
    };

  it('knows its own object after a lost answer', async () => {
    const { store } = await storeThatAnswers(lostReply('mine'));
    expect(await store.putIfAbsent('m.json', bytes('mine'))).toBe('created');
  });

  it('takes no other writer for itself after a lost answer', async () => {
    const { store } = await storeThatAnswers(lostReply('theirs'));
    expect(await store.putIfAbsent('m.json', bytes('mine'))).toBe('exists');
  });

  it('says exists at the first refusal, though the bytes are the same', async () => {
    const { store, asked } = await storeThatAnswers(() => refusal(412, 'PreconditionFailed'));
    expect(await store.putIfAbsent('m.json', bytes('same'))).toBe('exists');
    expect(asked.map(({ method, headers }) => [method, headers['if-none-match']])).toEqual([['PUT', '*']]);
  });

  it('looks before it writes where the store knows no conditions', async () => {
    server = await startScriptedServer(({ method }) => (method === 'HEAD' ? { status: 404 } : { status: 200 }));
    const store = openS3Store({ ...server.options, conditionalWrites: false });
    expect(await store.putIfAbsent('m.json', bytes('x'))).toBe('created');
    expect(server.asked.map(({ method, headers }) => [method, headers['if-none-match']])).toEqual([
      ['HEAD', undefined],
      ['PUT', undefined],
    ]);
  });
});

describe('read', () => {
  it('goes on where a connection broke off, with the same object', async () => {
    const { store, asked } = await storeThatAnswers((_asked, earlier) =>
      earlier === 0
        ? { status: 206, headers: { etag: '"one"' }, body: '23456789', cut: 3 }
        : { status: 206, headers: { etag: '"one"' }, body: '56789' },
    );
    expect((await buffer(store.read('a', { start: 2, end: 9 }))).toString()).toBe('23456789');
    expect(asked.map(({ headers }) => [headers.range, headers['if-match']])).toEqual([
      ['bytes=2-9', undefined],
      ['bytes=5-9', '"one"'],
    ]);
  });

  it('mixes no two objects', async () => {
    const { store } = await storeThatAnswers((_asked, earlier) =>
      earlier === 0
        ? { status: 200, headers: { etag: '"one"' }, body: '0123456789', cut: 3 }
        : refusal(412, 'PreconditionFailed'),
    );
    expect((await failed(buffer(store.read('a')))).message).toMatch(/PreconditionFailed/);
  });

  it('gives nothing of a range behind the end', async () => {
    const { store } = await storeThatAnswers(() => refusal(416, 'InvalidRange'));
    expect(await buffer(store.read('a', { start: 5, end: 9 }))).toHaveLength(0);
  });
});

it('as many streams as there are connections, of which nobody reads one, hold nothing else up', async () => {
  const { store } = await storeThatAnswers(({ method }) =>
    method === 'HEAD' ? { status: 200 } : { status: 200, body: 'x', headers: { 'content-length': '1000' } },
  );
  const streams = Array.from({ length: 64 }, () => store.read('a'));
  await Promise.all(streams.map((stream) => once(stream, 'readable')));
  expect(await store.head('b')).toEqual({ size: 0 });
  for (const stream of streams) stream.on('error', () => undefined).destroy();
});

describe('list', () => {
  it('reads every page, and leaves out what others put into the bucket', async () => {
    const page = (keys: string[], next: string | null) => ({
      status: 200,
      body: `<ListBucketResult>${next === null ? '<IsTruncated>false</IsTruncated>' : `<IsTruncated>true</IsTruncated><NextContinuationToken>${next}</NextContinuationToken>`}${keys
        .map((key) => `<Contents><Key>${key}</Key><Size>7</Size></Contents>`)
        .join('')}</ListBucketResult>`,
    });
    const { store, asked } = await storeThatAnswers(({ query }) =>
      query.get('continuation-token') === 'next=/+'
        ? page(['p/007', 'p/b&amp;w'], null)
        : page(['p/', 'p/006'], 'next=/+'),
    );
    const found: unknown[] = [];
    for await (const one of store.list('p/')) found.push(one);
    expect(found).toEqual([
      { key: 'p/006', size: 7 },
      { key: 'p/007', size: 7 },
    ]);
    expect(asked).toHaveLength(2);
  });
});

describe('put of a stream', () => {
  const MIB = 2 ** 20;
  const stream = (count: number) => Readable.from(Array.from({ length: count }, () => Buffer.alloc(MIB)));

  it('sends parts from number 1, each once more when it fails, and removes them when they cannot be joined', async () => {
    let failures = 0;
    const { store, asked } = await storeThatAnswers(({ method, query }) => {
      if (query.has('uploads')) return { status: 200, body: '<R><UploadId>u</UploadId></R>' };
      if (method === 'PUT')
        return failures++ === 0 ? refusal(500, 'InternalError') : { status: 200, headers: { etag: '"e"' } };
      return method === 'DELETE' ? { status: 204 } : { status: 200, body: '<Error><Code>InvalidPart</Code></Error>' };
    });
    expect((await failed(store.put('k', { stream: stream(17), size: 17 * MIB }))).message).toMatch(/InvalidPart/);
    expect(asked.map(({ method, query }) => [method, query.get('partNumber')])).toEqual([
      ['POST', null],
      ['PUT', '1'],
      ['PUT', '1'],
      ['PUT', '2'],
      ['POST', null],
      ['DELETE', null],
    ]);
  });

  it.each([
    ['is stored when the answer to the join was lost', 17 * MIB, true],
    ['is not stored when the upload is gone and the object has another size', 9, false],
  ])('%s', async (_, found, good) => {
    let joins = 0;
    const { store, asked } = await storeThatAnswers(({ method, query }) => {
      if (query.has('uploads')) return { status: 200, body: '<R><UploadId>u</UploadId></R>' };
      if (method === 'PUT') return { status: 200, headers: { etag: '"e"' } };
      if (method === 'HEAD') return { status: 200, headers: { 'content-length': String(found) } };
      return joins++ === 0 ? 'reset' : refusal(404, 'NoSuchUpload');
    });
    const work = store.put('k', { stream: stream(17), size: 17 * MIB });
    if (good) await work;
    else expect((await failed(work)).message).toMatch(/NoSuchUpload/);
    expect(asked.some(({ method }) => method === 'DELETE')).toBe(!good);
  });

  it('compares the checksum of what may have been joined, where the store keeps one', async () => {
    const { store } = await storeThatAnswers(({ method, query }) => {
      if (query.has('uploads')) return { status: 200, body: '<R><UploadId>u</UploadId></R>' };
      if (method === 'PUT') return { status: 200, headers: { etag: '"e"' } };
      const other = { 'content-length': String(17 * MIB), 'x-amz-checksum-sha256': `${'A'.repeat(43)}=-2` };
      return method === 'HEAD' ? { status: 200, headers: other } : refusal(404, 'NoSuchUpload');
    });
    expect((await failed(store.put('k', { stream: stream(17), size: 17 * MIB }))).message).toMatch(/NoSuchUpload/);
  });

  it('begins nothing for one that fails before its first byte is sent, and does not blame the store', async () => {
    const { store, asked } = await storeThatAnswers(() => ({ status: 200 }));
    const gone = Object.assign(new Error('the source is gone'), { code: 'ECONNRESET' });
    const broken = new Readable({ read: () => broken.destroy(gone) });
    expect(await failed(store.put('k', { stream: broken, size: 5 }))).toBe(gone);
    expect(asked).toEqual([]);
  });
});

describe('an endpoint', () => {
  it.each(['minio:9000', 'http://host/path', 'ftp://host', 'http://user:secret@host'])('%s is refused', (endpoint) => {
    const options = {
      bucket: 'b',
      accessKey: 'a',
      secretKey: 's',
      region: 'r',
      publicUrl: null,
      conditionalWrites: true,
    };
    expect(() => openS3Store({ ...options, endpoint })).toThrow(
      /TANDEM_S3_ENDPOINT must be a URL of scheme, host and port/,
    );
  });
});
