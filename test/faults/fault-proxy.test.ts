import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Bucket, clientOf, openBucket } from '../support/bucket.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import type { Fault, FaultRule } from '../support/fault-rules.ts';
import { faultChooser } from '../support/fault-rules.ts';
import { s3Request } from '../support/s3-request.ts';
import { minioBinary, type S3Server, startMinio } from '../support/s3-servers.ts';

const noMinio = minioBinary() === null ? 'there is no MinIO binary' : null;

describe.skipIf(noMinio)(`the proxy before a real server (${noMinio ?? 'MinIO'})`, () => {
  const body = randomBytes(300_000);
  let server: S3Server;
  let proxy: FaultProxy;
  let bucket: Bucket;

  beforeAll(async () => {
    server = await startMinio();
    proxy = await startFaultProxy(server.endpoint);
    bucket = openBucket(server);
  });
  beforeEach(() => proxy.inject([]));
  afterAll(async () => {
    await proxy?.close();
    await server?.close();
  });

  const client = () => clientOf(server, proxy.endpoint);
  const always = (fault: Fault): void => proxy.inject([{ fault, share: 1 }]);
  const putTo = async (key: string, bytes: Uint8Array = body): Promise<number> => {
    const url = await client().presignedPutObject(server.bucket, key, 60);
    return (await fetch(url, { method: 'PUT', body: Buffer.from(bytes) })).status;
  };
  const getFrom = async (key: string): Promise<Buffer> => {
    const response = await fetch(await client().presignedGetObject(server.bucket, key, 60));
    if (!response.ok) throw new Error(`answered ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  };
  const stored = async (key: string): Promise<Buffer | null> =>
    (await bucket.objects(key)).has(key) ? bucket.read(key) : null;

  test('passes signed requests, presigned URLs and bodies through as they are, and counts their bytes', async () => {
    await client().putObject(server.bucket, 'whole', body, body.length);
    expect(await putTo('presigned')).toBe(200);
    expect(await getFrom('presigned')).toEqual(body);
    expect(await stored('whole')).toEqual(body);
    expect(proxy.passages.filter(({ key }) => key === 'presigned')).toMatchObject([
      { operation: 'PutObject', method: 'PUT', status: 200, up: body.length },
      { operation: 'GetObject', method: 'GET', status: 200, down: body.length },
    ]);
  });

  test.each(['before', 'within', 'after'] as const)('a reset %s the body leaves nothing in the store', async (when) => {
    always({ kind: 'reset', when });
    await expect(putTo(`reset-${when}`)).rejects.toThrow('fetch failed');
    expect(await stored(`reset-${when}`)).toBeNull();
    const [passage] = proxy.passages.filter(({ key }) => key === `reset-${when}`);
    expect(passage).toMatchObject({ status: null, faults: [{ kind: 'reset', when }] });
    expect(passage!.up > 0).toBe(when !== 'before');
  });

  test('a lost reply has done its work', async () => {
    always({ kind: 'lost reply' });
    await expect(putTo('lost')).rejects.toThrow('fetch failed');
    expect(await stored('lost')).toEqual(body);
  });

  test('an answer of its own is an S3 error that the client understands', async () => {
    always({ kind: 'answer', status: 403, code: 'RequestTimeTooSkewed' });
    const refused = client().putObject(server.bucket, 'refused', body, body.length);
    await expect(refused).rejects.toMatchObject({ code: 'RequestTimeTooSkewed' });
    expect(await stored('refused')).toBeNull();
  });

  test('a truncated answer ends before its length', async () => {
    await putTo('truncated');
    always({ kind: 'truncated' });
    await expect(getFrom('truncated')).rejects.toThrow(/terminated|fetch failed/);
    expect(proxy.passages.at(-1)).toMatchObject({ status: 200, down: body.length / 2 });
  });

  test('a flipped bit changes one byte, on the way up or down', async () => {
    always({ kind: 'flipped', of: 'request' });
    await putTo('flipped');
    always({ kind: 'flipped', of: 'response' });
    const differing = (bytes: Buffer | null) => body.filter((byte, i) => bytes?.[i] !== byte).length;
    expect(differing(await stored('flipped'))).toBe(1);
    proxy.inject([]);
    await putTo('flipped');
    always({ kind: 'flipped', of: 'response' });
    expect(differing(await getFrom('flipped'))).toBe(1);
  });

  test('slow and late requests take their time and arrive whole', async () => {
    proxy.inject([
      { fault: { kind: 'slow', bytesPerSecond: 1_000_000 }, share: 1 },
      { fault: { kind: 'late', milliseconds: 200 }, share: 1 },
    ]);
    const startedAt = Date.now();
    await putTo('slow');
    expect(Date.now() - startedAt).toBeGreaterThan(450);
    expect(await stored('slow')).toEqual(body);
  });

  test('while it is down nobody gets through, and afterwards everybody', async () => {
    await proxy.down();
    await expect(putTo('down')).rejects.toThrow('fetch failed');
    await proxy.up();
    expect(await putTo('down')).toBe(200);
  });
});

describe('which request meets which fault', () => {
  const rules: FaultRule[] = [
    { fault: { kind: 'lost reply' }, share: 0.3 },
    { fault: { kind: 'late', milliseconds: 1 }, share: 0.5, match: ({ operation }) => operation === 'PutObject' },
  ];
  const names = Array.from({ length: 200 }, (_, i) => `PutObject ${i % 20}`);
  const fates = (seed: number, order: readonly string[]) => {
    const choose = faultChooser(rules, seed);
    const request = s3Request('PUT', '/bucket/key');
    return order.map((name) => `${name} ${choose(request, name).map(({ kind }) => kind)}`);
  };

  test('is the same for the same seed, whatever the order of different requests', () => {
    const sorted = [...names].sort();
    expect(fates(7, names).sort()).toEqual(fates(7, sorted).sort());
    expect(fates(7, names)).not.toEqual(fates(8, names));
  });

  test('is as often as said, and not more often than allowed', () => {
    const lost = fates(1, names).filter((fate) => fate.includes('lost reply')).length;
    expect(lost).toBeGreaterThan(30);
    expect(lost).toBeLessThan(90);
    const twice = faultChooser([{ ...rules[0]!, share: 1, times: 2 }], 1);
    expect(names.filter((name) => twice(s3Request('GET', '/b/k'), name).length > 0).length).toBe(2);
  });

  test.each([
    ['PUT', '/b/a/k?partNumber=2&uploadId=x', 'UploadPart'],
    ['POST', '/b/k?uploads', 'CreateMultipartUpload'],
    ['POST', '/b/k?uploadId=x', 'CompleteMultipartUpload'],
    ['GET', '/b/k?uploadId=x', 'ListParts'],
    ['GET', '/b?list-type=2&prefix=runs', 'ListObjects'],
    ['GET', '/b/?uploads&prefix=runs', 'ListMultipartUploads'],
    ['HEAD', '/b/k', 'HeadObject'],
    ['PATCH', '/b/k', 'other'],
  ])('%s %s is %s', (method, target, operation) => {
    expect(s3Request(method, target).operation).toBe(operation);
  });
});
