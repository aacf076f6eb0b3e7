import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { S3StoreOptions } from '../s3-store.ts';

export interface Asked {
  method: string;
  /** Key within the bucket. */
  key: string;
  query: URLSearchParams;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** `reset`: the connection breaks off without an answer. `cut`: it breaks off after so many bytes of the body. */
export type Answer = 'reset' | { status: number; headers?: Record<string, string>; body?: string; cut?: number };

/** An HTTP server that answers as a test says: for what a real S3 server does not do when it is asked to. */
export interface ScriptedServer {
  options: S3StoreOptions;
  asked: Asked[];
  close(): Promise<void>;
}

export async function startScriptedServer(answer: (asked: Asked, earlier: number) => Answer): Promise<ScriptedServer> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const url = new URL(request.url ?? '/', 'http://localhost');
      const one = {
        method: request.method ?? '',
        key: url.pathname.replace(/^\/[^/]*\/?/, ''),
        query: url.searchParams,
        headers: request.headers,
        body,
      };
      asked.push(one);
      const what = answer(one, asked.length - 1);
      if (what === 'reset') return request.socket.resetAndDestroy();
      const content = Buffer.from(what.body ?? '');
      response.writeHead(what.status, { 'content-length': content.length, ...what.headers });
      if (what.cut === undefined) return response.end(request.method === 'HEAD' ? undefined : content);
      // Closed, not reset: a reset would throw away what was sent before it.
      return response.write(content.subarray(0, what.cut), () => request.socket.end());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    options: {
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      bucket: 'tandem',
      accessKey: 'the-access-key',
      secretKey: 'the-secret-key',
      region: 'us-east-1',
      publicUrl: null,
      conditionalWrites: true,
      retry: { tries: 4, withinMs: 60_000, baseMs: 1, maxMs: 2 },
    },
    asked,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const refusal = (status: number, code: string): Answer => ({
  status,
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>because</Message><AWSAccessKeyId>the-access-key</AWSAccessKeyId></Error>`,
});
