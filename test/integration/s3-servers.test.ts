import { Client } from 'minio';
import { describe, expect, it } from 'vitest';
import { minioBinary, type S3Server, startMinio, startVersitygw, versitygwBinary } from '../support/s3-servers.ts';

describe.each([
  { name: 'minio', binary: minioBinary(), start: startMinio },
  { name: 'versitygw', binary: versitygwBinary(), start: startVersitygw },
])('$name as the tests start it', ({ binary, start }) => {
  it.skipIf(binary === null)('keeps what was stored through a kill and a new start', async () => {
    const server: S3Server = await start();
    try {
      const { hostname, port } = new URL(server.endpoint);
      const client = new Client({ ...server, endPoint: hostname, port: Number(port), useSSL: false });
      await client.putObject(server.bucket, 'a/b', Buffer.from('kept'));
      await server.kill();
      await expect(client.statObject(server.bucket, 'a/b')).rejects.toThrow();
      await server.start();
      expect((await client.statObject(server.bucket, 'a/b')).size).toBe(4);
    } finally {
      await server.close();
    }
  });
});
