import { afterEach, describe, expect, it } from 'vitest';
import { UploadIncompleteError } from '../object-store.ts';
import { compositeChecksum } from './multipart.ts';
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

async function transfersThatGet(answer: (asked: Asked, earlier: number) => Answer) {
  server = await startScriptedServer(answer);
  return { transfers: openS3Store(server.options).transfers, asked: server.asked };
}

const PART = 5 * 2 ** 20;
const sums = ['a'.repeat(64), 'b'.repeat(64)];
const file = { size: PART + 1, parts: { size: PART, sha256: sums } };
const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');
const part = (number: number, size: number, sha256 = base64(sums[number - 1] ?? '')) =>
  `<Part><PartNumber>${number}</PartNumber><ETag>&quot;e${number}&quot;</ETag><Size>${size}</Size><ChecksumSHA256>${sha256}</ChecksumSHA256></Part>`;
const listing = (parts: string, next?: number): Answer => ({
  status: 200,
  body: `<ListPartsResult>${next === undefined ? '' : `<NextPartNumberMarker>${next}</NextPartNumberMarker>`}<IsTruncated>${next !== undefined}</IsTruncated>${parts}</ListPartsResult>`,
});
const JOINED: Answer = {
  status: 200,
  body: '<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>',
};
const stored = (checksum?: string): Answer => ({
  status: 200,
  headers: {
    'content-length': String(file.size),
    ...(checksum === undefined ? {} : { 'x-amz-checksum-sha256': checksum }),
  },
});

describe('plan', () => {
  it('leaves no second upload behind where the answer to the first beginning was lost', async () => {
    let begun = 0;
    const { transfers, asked } = await transfersThatGet(({ method }) => {
      if (method === 'POST') {
        begun += 1;
        if (begun === 1) return 'reset';
        const body = '<InitiateMultipartUploadResult><UploadId>second</UploadId></InitiateMultipartUploadResult>';
        return { status: 200, body };
      }
      if (method === 'DELETE') return { status: 204 };
      const uploads = ['first', 'second'].map((id) => `<Upload><Key>k</Key><UploadId>${id}</UploadId></Upload>`);
      const other = '<Upload><Key>k2</Key><UploadId>third</UploadId></Upload>';
      return {
        status: 200,
        body: `<ListMultipartUploadsResult>${uploads.join('')}${other}</ListMultipartUploadsResult>`,
      };
    });
    expect((await transfers.plan('k', file, null)).uploadId).toBe('second');
    const aborted = asked.filter(({ method }) => method === 'DELETE').map(({ query }) => query.get('uploadId'));
    expect(aborted).toEqual(['first']);
  });
});

describe('complete', () => {
  it('reads every page of parts, and joins them with the tag and the checksum of each', async () => {
    const { transfers, asked } = await transfersThatGet(({ method, query }) => {
      if (method === 'POST') return JOINED;
      return query.get('part-number-marker') === '1' ? listing(part(2, 1)) : listing(part(1, PART), 1);
    });
    await transfers.complete('k', file, 'u');
    expect(asked.at(-1)?.body.toString()).toBe(
      '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
        `<Part><PartNumber>1</PartNumber><ETag>&#34;e1&#34;</ETag><ChecksumSHA256>${base64(sums[0] ?? '')}</ChecksumSHA256></Part>` +
        `<Part><PartNumber>2</PartNumber><ETag>&#34;e2&#34;</ETag><ChecksumSHA256>${base64(sums[1] ?? '')}</ChecksumSHA256></Part>` +
        '</CompleteMultipartUpload>',
    );
  });

  it('went well when the answer was lost and the object is there', async () => {
    let joins = 0;
    const { transfers } = await transfersThatGet(({ method }) => {
      if (method === 'HEAD') return stored(compositeChecksum(sums));
      if (method === 'GET') return listing(part(1, PART) + part(2, 1));
      return joins++ === 0 ? 'reset' : refusal(404, 'NoSuchUpload');
    });
    await transfers.complete('k', file, 'u');
    expect(joins).toBe(2);
  });

  it.each<[string, Answer, boolean]>([
    ['with the checksum of these parts', stored(compositeChecksum(sums)), true],
    ['with the size, in a store that keeps no checksum', stored(), true],
    ['with other bytes of the same size', stored(compositeChecksum([...sums].reverse())), false],
    ['of another size', { status: 200, headers: { 'content-length': '1' } }, false],
    ['that is not there', { status: 404 }, false],
  ])('of an upload that is gone, and an object %s', async (_, head, good) => {
    const { transfers } = await transfersThatGet(({ method }) =>
      method === 'HEAD' ? head : refusal(404, 'NoSuchUpload'),
    );
    const outcome = transfers.complete('k', file, 'u');
    if (good) await outcome;
    else await expect(outcome).rejects.toThrow(UploadIncompleteError);
  });

  it('is refused while a part is missing, too short or of other bytes', async () => {
    for (const parts of [
      part(1, PART),
      part(1, PART) + part(2, 9),
      part(1, PART, base64(sums[1] ?? '')) + part(2, 1),
    ]) {
      const { transfers, asked } = await transfersThatGet(() => listing(parts));
      await expect(transfers.complete('k', file, 'u')).rejects.toThrow(
        /k is not uploaded as a whole: 1 of 2 parts are missing/,
      );
      expect(asked.map(({ method }) => method)).toEqual(['GET']);
      await server?.close();
    }
  });

  it('sees an error that follows a 200', async () => {
    const { transfers } = await transfersThatGet(({ method }) =>
      method === 'GET'
        ? listing(part(1, PART) + part(2, 1))
        : { status: 200, body: ' <Error><Code>InternalError</Code><Message>late</Message></Error>' },
    );
    await expect(transfers.complete('k', file, 'u')).rejects.toThrow(/InternalError/);
  });
});

describe('plan', () => {
  it('begins anew, with checksums, where the upload is gone and the object is not there', async () => {
    const { transfers, asked } = await transfersThatGet(({ method }) => {
      if (method === 'POST') return { status: 200, body: '<R><UploadId>new</UploadId></R>' };
      return method === 'HEAD' ? { status: 404 } : refusal(404, 'NoSuchUpload');
    });
    const { uploadId, parts } = await transfers.plan('k.json', file, 'old');
    expect(uploadId).toBe('new');
    expect(parts.map(({ start, end, headers }) => [start, end, headers['x-amz-checksum-sha256']])).toEqual([
      [0, PART, base64(sums[0] ?? '')],
      [PART, PART + 1, base64(sums[1] ?? '')],
    ]);
    expect(parts.map(({ url }) => new URL(url).searchParams.get('X-Amz-SignedHeaders'))).toEqual(
      Array(2).fill('host;x-amz-checksum-sha256'),
    );
    expect(asked.at(-1)?.headers).toMatchObject({
      'x-amz-checksum-algorithm': 'SHA256',
      'content-type': 'application/json',
    });
  });

  it('asks for nothing where the upload was joined and the answer lost', async () => {
    const { transfers } = await transfersThatGet(({ method }) =>
      method === 'HEAD' ? stored(compositeChecksum(sums)) : refusal(404, 'NoSuchUpload'),
    );
    expect(await transfers.plan('k', file, 'old')).toEqual({ uploadId: 'old', parts: [] });
  });
});

describe('unfinished', () => {
  it('asks for what is below the prefix and nothing else, page by page', async () => {
    const upload = (key: string) =>
      `<Upload><Key>${key}</Key><UploadId>u-${key}</UploadId><Initiated>2026-01-02T03:04:05.000Z</Initiated></Upload>`;
    server = await startScriptedServer(({ query }) => {
      if (query.get('prefix') !== 'team-a/runs/') return refusal(403, 'AccessDenied');
      const more = !query.has('key-marker');
      const next = '<NextKeyMarker>team-a/runs/x</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>';
      const body = `<IsTruncated>${more}</IsTruncated>${more ? next : ''}${upload(`team-a/runs/${more ? 'x' : 'y'}`)}`;
      return { status: 200, body: `<R>${body}</R>` };
    });
    const { transfers } = openS3Store({ ...server.options, prefix: 'team-a/' });
    const found: unknown[] = [];
    for await (const one of transfers.unfinished('runs/')) found.push(one);
    const since = Date.parse('2026-01-02T03:04:05Z');
    expect(found).toEqual([
      { key: 'runs/x', uploadId: 'u-team-a/runs/x', since },
      { key: 'runs/y', uploadId: 'u-team-a/runs/y', since },
    ]);
    expect(server.asked).toHaveLength(2);
  });
});
