import { presignSignatureV4 } from 'minio/dist/esm/signing.mjs';
import { queryText } from './query.ts';

export interface PresignRequest {
  origin: URL;
  method: 'GET' | 'PUT';
  key: string;
  query?: Record<string, string>;
  /** Headers the sender has to send exactly so. The client's own `presignedUrl` signs none but `host`. */
  headers?: Record<string, string>;
  seconds: number;
}

/** A URL that lets its holder send this one request, to a bucket named in the path. */
export function presign(
  { origin, method, key, query = {}, headers = {}, seconds }: PresignRequest,
  { bucket, accessKey, secretKey, region }: { bucket: string; accessKey: string; secretKey: string; region: string },
): string {
  const text = queryText(query);
  return presignSignatureV4(
    {
      method,
      protocol: origin.protocol,
      path: `/${bucket}/${key}${text === '' ? '' : `?${text}`}`,
      headers: { ...headers, host: origin.host },
    },
    accessKey,
    secretKey,
    undefined,
    region,
    new Date(),
    seconds,
  );
}
