import { afterEach, expect, it } from 'vitest';
import { refusal, type ScriptedServer, startScriptedServer } from '../../platform/s3/testing/scripted-server.ts';
import { storageFault } from '../../platform/storage-error.ts';
import { connectS3 } from './connect-s3.ts';

let server: ScriptedServer | undefined;
afterEach(() => server?.close());

it('tells at the first failure that a store is away, so that whoever waits for it decides how long', async () => {
  server = await startScriptedServer(() => refusal(503, 'SlowDown'));
  const { endpoint, bucket, accessKey, secretKey, region } = server.options;
  const s3 = { endpoint, bucket, accessKey, secretKey, region, prefix: '', publicUrl: null, createBucket: false };
  const error: unknown = await connectS3(s3, { warn: () => undefined }).then(
    () => expect.fail('it went well'),
    (failure: unknown) => failure,
  );
  expect(storageFault(error)?.kind).toBe('unreachable');
  expect(server.asked).toHaveLength(1);
});
