import { afterEach, describe, expect, it } from 'vitest';
import { storageFault } from '../storage-error.ts';
import { checkS3Store } from './check-s3-store.ts';
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

/** A store that does everything right, but for what a test makes of it. */
async function check(differs: (asked: Asked, earlier: number) => Answer | null = () => null, createBucket = false) {
  const objects = new Set<string>();
  server = await startScriptedServer((asked, earlier) => differs(asked, earlier) ?? well(asked, objects));
  return checkS3Store({ ...server.options, createBucket });
}

function well({ method, key, query, headers }: Asked, objects: Set<string>): Answer {
  if (query.has('uploads')) return { status: 200, body: '<R><UploadId>u</UploadId></R>' };
  if (query.has('uploadId')) {
    if (method === 'GET') return { status: 200, body: '<R><Part><PartNumber>1</PartNumber><Size>10</Size></Part></R>' };
    return { status: method === 'DELETE' ? 204 : 200 };
  }
  if (method === 'DELETE') return { status: 204 };
  if (method === 'GET')
    return key === '' ? { status: 200, headers: { server: 'Fake' }, body: '<R/>' } : { status: 206, body: '234' };
  if (headers['if-none-match'] === '*' && objects.has(key)) return refusal(412, 'PreconditionFailed');
  if (headers['x-amz-checksum-sha256'] !== undefined) return refusal(400, 'BadDigest');
  objects.add(key);
  return { status: 200 };
}

const isConditional = ({ headers }: Asked) => headers['if-none-match'] === '*';

describe('checkS3Store', () => {
  it('finds what a good store can do, and removes what it wrote', async () => {
    expect(await check()).toEqual({ server: 'Fake', conditionalWrites: true, checksums: true });
    const written = server?.asked
      .filter(({ method, query }) => method === 'PUT' && query.size === 0)
      .map(({ key }) => key);
    expect(server?.asked.at(-1)).toMatchObject({ method: 'DELETE', key: written?.[0] });
    expect(new Set(written).size).toBe(1);
  });

  it.each<[string, Answer]>([
    ['ignores the condition', { status: 200 }],
    ['says that it knows no condition', refusal(501, 'NotImplemented')],
  ])('goes on without conditional writes where the store %s', async (_, answer) => {
    expect(await check((asked) => (isConditional(asked) ? answer : null))).toMatchObject({ conditionalWrites: false });
  });

  it('takes its own object after a lost answer for a condition that is heeded', async () => {
    let tries = 0;
    const outcome = await check((asked) => {
      if (!isConditional(asked)) return null;
      return tries++ === 0 ? 'reset' : refusal(412, 'PreconditionFailed');
    });
    expect(outcome.conditionalWrites).toBe(true);
  });

  it('finds that checksums are not verified', async () => {
    const ignores = (asked: Asked) =>
      asked.headers['x-amz-checksum-sha256'] && !asked.query.size ? { status: 200 } : null;
    expect(await check(ignores)).toMatchObject({ checksums: false });
  });

  it.each<[string, (asked: Asked) => Answer | null, RegExp]>([
    [
      'a clock that is off',
      () => refusal(403, 'RequestTimeTooSkewed'),
      /clock that differs by more than 15 minutes.*set both by NTP/,
    ],
    ['wrong keys', () => refusal(403, 'InvalidAccessKeyId'), /check TANDEM_S3_ACCESS_KEY and TANDEM_S3_SECRET_KEY/],
    ['no bucket', () => refusal(404, 'NoSuchBucket'), /has no bucket tandem; create it/],
    [
      'keys that may only read',
      ({ method }) => (method === 'PUT' ? refusal(403, 'AccessDenied') : null),
      /allow the keys to list, read, write/,
    ],
    [
      'a proxy that ignores ranges',
      ({ method, key }) => (method === 'GET' && key !== '' ? { status: 200, body: '0123456789' } : null),
      /answers 10 bytes where bytes 2 to 4.*heeds Range/,
    ],
    [
      'no multipart uploads',
      ({ query }) => (query.has('uploads') ? refusal(501, 'NotImplemented') : null),
      /501 NotImplemented/,
    ],
    [
      'no list of parts',
      ({ method, query }) => (method === 'GET' && query.has('uploadId') ? { status: 200, body: '<R/>' } : null),
      /does not list the parts/,
    ],
    [
      'a policy that does not list unfinished uploads below the prefix',
      ({ method, query }) => (method === 'GET' && query.has('uploads') ? refusal(403, 'AccessDenied') : null),
      /denies access; allow the keys to list/,
    ],
    [
      'keys that may neither write nor delete, by what came first',
      ({ method }) => (method === 'PUT' ? refusal(507, 'QuotaExceeded') : method === 'DELETE' ? 'reset' : null),
      /has used up its quota/,
    ],
    ['no answer', () => 'reset', /cannot be reached \(ECONNRESET\)/],
  ])('refuses a store with %s, with the place and the remedy', async (_, differs, remedy) => {
    const error = await check(differs).then(
      () => expect.fail('the check went well'),
      (failure: Error) => failure,
    );
    expect(error.message).toContain(`The object store at ${server?.options.endpoint} `);
    expect(error.message).toMatch(remedy);
    expect(storageFault(error)?.kind).toMatch(/refused|unreachable|full/);
  });

  it('creates the bucket where it is told to, and goes on where somebody else was faster', async () => {
    for (const made of [{ status: 200 }, refusal(409, 'BucketAlreadyOwnedByYou')]) {
      let exists = false;
      const outcome = await check((asked) => {
        if (asked.key !== '') return null;
        if (asked.method === 'PUT') exists = true;
        if (asked.method === 'PUT') return made;
        return exists ? null : refusal(404, 'NoSuchBucket');
      }, true);
      expect(outcome.conditionalWrites).toBe(true);
      await server?.close();
    }
  });
});
