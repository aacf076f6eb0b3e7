import type { IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'minio';
import { backoffMs } from '../retry.ts';
import { type PresignRequest, presign } from './presign.ts';
import { queryText } from './query.ts';
import { isTransient, S3Failure } from './s3-failure.ts';
import { explained, type S3Place } from './s3-fault.ts';
import { IDLE_MS, s3Agent, s3Transport } from './transport.ts';

/** Where the store is and who asks. URLs are origins: `http://minio:9000`. */
export interface S3Options {
  endpoint: string;
  bucket: string;
  accessKey: string;
  secretKey: string;
  region: string;
  /** All keys of this store begin with it; '' or absent for the whole bucket. */
  prefix?: string;
  /** How people's browsers reach the store, for links; null where they cannot. */
  publicUrl: string | null;
  retry?: RetryLimits;
  /** When a request without any movement is given up, in milliseconds; a minute. */
  idleMs?: number;
}

/** How long a request is tried that fails in a way that passes. */
export interface RetryLimits {
  tries: number;
  /** After this time, in milliseconds since the first try began, no other begins: tries may be slow. */
  withinMs: number;
  /** Wait after the first failure in milliseconds; doubled each time, at most `maxMs`. */
  baseMs: number;
  maxMs: number;
}

export interface S3Request {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Key in the bucket, the store's prefix included; absent for a request to the bucket itself. */
  key?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: Buffer;
}

/** Signed requests to one bucket. What fails in a way that passes is tried again; what fails for good is an S3Failure or an error of the network. */
export interface S3Client {
  place: S3Place;
  retry: RetryLimits;
  /**
   * The answer with its whole body. A body that breaks off is fetched again. `earlierFailures`: tries before this one, each of which may have been
   * carried out though its answer was lost.
   */
  send(request: S3Request): Promise<{ headers: IncomingMessage['headers']; body: Buffer; earlierFailures: number }>;
  /** One try, with the body as a stream. These have connections of their own, of which `send` never waits for one. */
  open(request: S3Request): Promise<IncomingMessage>;
  presign(request: Omit<PresignRequest, 'origin'>, audience?: 'trainer' | 'public'): string;
  makeBucket(): Promise<void>;
  /** An error of `send` or `open` with the remedy, for those who cannot go on. */
  explain(error: unknown): unknown;
}

/** A dead connection is noticed after a minute, and there is time for another try then. Whoever waits for the answer holds others up. */
const RETRY: RetryLimits = { tries: 6, withinMs: 90_000, baseMs: 200, maxMs: 3000 };
/** Everything a success of S3 answers with. */
const SUCCESS = [200, 204, 206];

export function openS3Client(options: S3Options): S3Client {
  const { bucket, accessKey, secretKey, region, retry = RETRY, idleMs = IDLE_MS } = options;
  const endpoint = originOf(options.endpoint, 'TANDEM_S3_ENDPOINT');
  const publicUrl = options.publicUrl === null ? null : originOf(options.publicUrl, 'TANDEM_S3_PUBLIC_URL');
  const protocol = endpoint.protocol === 'https:' ? 'https:' : 'http:';
  const clientWithOwnConnections = () =>
    new Client({
      endPoint: endpoint.hostname,
      ...(endpoint.port === '' ? {} : { port: Number(endpoint.port) }),
      useSSL: protocol === 'https:',
      accessKey,
      secretKey,
      region,
      transport: s3Transport(protocol, idleMs),
      transportAgent: s3Agent(protocol),
      retryOptions: { disableRetry: true },
    });
  const client = clientWithOwnConnections();
  // Whoever reads a stream may read slowly: what holds a run up must not wait for a connection of theirs.
  const streams = clientWithOwnConnections();
  const place: S3Place = { endpoint: endpoint.origin, bucket, region };

  const request = (by: Client, { method, key, query = {}, headers = {}, body }: S3Request) =>
    by.makeRequestAsync(
      {
        method,
        bucketName: bucket,
        ...(key === undefined ? {} : { objectName: key }),
        query: queryText(query),
        headers: { ...headers },
      },
      body ?? '',
      SUCCESS,
    );

  return {
    place,
    retry,
    open: (asked) => request(streams, asked),
    send: (asked) =>
      retrying(retry, async (earlierFailures) => {
        const response = await request(client, asked);
        return { headers: response.headers, body: await buffer(response), earlierFailures };
      }),
    presign: (asked, audience = 'trainer') => {
      const origin = audience === 'public' ? publicUrl : endpoint;
      if (origin === null) throw new Error('this store has no public address');
      return presign({ ...asked, origin }, options);
    },
    makeBucket: () => retrying(retry, () => client.makeBucket(bucket, region)),
    explain: (error) => explained(error, place),
  };
}

/** Repeats what fails in a way that passes, within the limits. A failure tells how many came before it. */
export async function retrying<T>(
  { tries, withinMs, baseMs, maxMs }: RetryLimits,
  work: (earlierFailures: number) => Promise<T>,
): Promise<T> {
  const until = performance.now() + withinMs;
  for (let failures = 0; ; ) {
    try {
      return await work(failures);
    } catch (error) {
      if (error instanceof S3Failure) error.earlierFailures = failures;
      failures += 1;
      if (!isTransient(error) || failures >= tries || performance.now() >= until) throw error;
      // A random part keeps many clients from coming back at the same moment.
      const waitMs = backoffMs({ failures, baseMs, maxMs });
      await delay(waitMs / 2 + Math.random() * (waitMs / 2));
    }
  }
}

function originOf(text: string, name: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.pathname !== '/' ||
    url.search !== '' ||
    url.username !== ''
  ) {
    throw new Error(
      `${name} must be a URL of scheme, host and port only, as http://minio:9000; signatures cover the path, so none can be put before it.`,
    );
  }
  return url;
}
