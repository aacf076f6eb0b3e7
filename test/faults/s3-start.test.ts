import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { failedStart } from '../support/failed-start.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { type S3Server, startMinio } from '../support/s3-servers.ts';
import { startTandem } from '../support/tandem.ts';
import { noMinio, s3Settings } from '../support/tandem-on-s3.ts';

const EXIT_USAGE = 64;
const EXIT_UNAVAILABLE = 69;

describe.skipIf(noMinio)(`a start with a store that cannot be used (${noMinio ?? 'MinIO'})`, () => {
  let server: S3Server;
  let proxy: FaultProxy;
  let directory: string;

  beforeAll(async () => {
    server = await startMinio();
    proxy = await startFaultProxy(server.endpoint);
  });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tandem-start-'));
  });
  afterEach(() => {
    proxy.inject([]);
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  afterAll(async () => {
    await proxy?.close();
    await server?.close();
  });

  /** One line with cause, place and remedy; no stack trace, and no key. */
  async function expectRefusal(env: Record<string, string>, code: number, text: string): Promise<void> {
    const start = await failedStart(directory, { ...s3Settings(server, proxy.endpoint), ...env });
    expect(start.printed.replaceAll(proxy.endpoint, 'ENDPOINT')).toBe(`tandem: ${text}\n`);
    expect(start.printed).not.toContain(server.secretKey);
    expect(start.code).toBe(code);
  }
  const STORE = 'TANDEM_S3_ENDPOINT: the object store at ENDPOINT';

  test('wrong keys are named, whichever is wrong', async () => {
    const remedy = 'check TANDEM_S3_ACCESS_KEY and TANDEM_S3_SECRET_KEY';
    await expectRefusal(
      { TANDEM_S3_SECRET_KEY: 'not-the-secret' },
      EXIT_UNAVAILABLE,
      `${STORE} does not accept the keys (SignatureDoesNotMatch); ${remedy}`,
    );
    await expectRefusal(
      { TANDEM_S3_ACCESS_KEY: 'nobody' },
      EXIT_UNAVAILABLE,
      `${STORE} does not accept the keys (InvalidAccessKeyId); ${remedy}`,
    );
  });

  test('a setting that is missing is named', () =>
    expectRefusal(
      { TANDEM_S3_SECRET_KEY: '' },
      EXIT_USAGE,
      'TANDEM_S3_ENDPOINT: needs TANDEM_S3_ACCESS_KEY, and TANDEM_S3_SECRET_KEY or TANDEM_S3_SECRET_KEY_FILE; set them, or unset TANDEM_S3_ENDPOINT to keep checkpoints as files',
    ));

  test('a missing bucket is named, and made when that is allowed', async () => {
    const env = { TANDEM_S3_BUCKET: 'elsewhere' };
    await expectRefusal(
      env,
      EXIT_UNAVAILABLE,
      `${STORE} has no bucket elsewhere; create it, name another by TANDEM_S3_BUCKET, or set TANDEM_S3_CREATE_BUCKET=1`,
    );
    const settings = { ...s3Settings(server), ...env, TANDEM_S3_CREATE_BUCKET: '1' };
    await (await startTandem(settings)).dispose();
  });

  test('a clock that is off is named', async () => {
    proxy.inject([{ fault: { kind: 'answer', status: 403, code: 'RequestTimeTooSkewed' }, share: 1 }]);
    await expectRefusal(
      {},
      EXIT_UNAVAILABLE,
      `${STORE} has a clock that differs by more than 15 minutes from the clock here; set both by NTP`,
    );
  });

  test('a store that may not be written to is named', async () => {
    const match = ({ operation }: { operation: string }) => operation === 'PutObject';
    proxy.inject([{ fault: { kind: 'answer', status: 403, code: 'AccessDenied' }, share: 1, match }]);
    await expectRefusal(
      {},
      EXIT_UNAVAILABLE,
      `${STORE} denies access; allow the keys to list, read, write and delete in the bucket tandem`,
    );
  });

  test('a store that is away at start is waited for', async () => {
    await proxy.down();
    const starting = startTandem(s3Settings(server, proxy.endpoint));
    setTimeout(() => void proxy.up(), 3000);
    await (await starting).dispose();
  });
});
