import { type Bucket, openBucket } from './bucket.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { minioBinary, type S3Server, type S3ServerOptions, startMinio } from './s3-servers.ts';
import { startTandem, type Tandem } from './tandem.ts';

/** Why no test can have a MinIO here, to name one that is skipped; null where it can. */
export const noMinio: string | null =
  minioBinary() === null ? 'no MinIO binary; scripts/test.sh builds it with Go' : null;

/** A real control plane whose checkpoints lie on a real MinIO, reached through a proxy that can do harm. */
export interface TandemOnS3 {
  tandem: Tandem;
  server: S3Server;
  proxy: FaultProxy;
  bucket: Bucket;
  dispose(): Promise<void>;
}

export async function startTandemOnS3({
  env = {},
  options,
  main,
}: {
  /** For the control plane. */
  env?: Record<string, string> | ((server: S3Server) => Record<string, string>);
  options?: S3ServerOptions;
  /** See `startTandem`. */
  main?: string;
} = {}): Promise<TandemOnS3> {
  const server = await startMinio(options);
  const proxy = await startFaultProxy(server.endpoint);
  const close = async () => {
    await proxy.close();
    await server.close();
  };
  try {
    const more = typeof env === 'function' ? env(server) : env;
    const tandem = await startTandem({ ...s3Settings(server, proxy.endpoint), ...more }, main);
    const dispose = async () => {
      proxy.inject([]);
      await tandem.dispose();
      await close();
    };
    return { tandem, server, proxy, bucket: openBucket(server), dispose };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What a control plane is told of a store. */
export function s3Settings(server: S3Server, endpoint = server.endpoint): Record<string, string> {
  return {
    TANDEM_S3_ENDPOINT: endpoint,
    TANDEM_S3_BUCKET: server.bucket,
    TANDEM_S3_ACCESS_KEY: server.accessKey,
    TANDEM_S3_SECRET_KEY: server.secretKey,
    TANDEM_S3_REGION: server.region,
    TANDEM_SWEEP_GRACE: '1',
  };
}
