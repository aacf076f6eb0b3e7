import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What was asked of the inference server for one task. */
export interface AskedRollouts {
  readonly prompt: string;
  readonly seed: number;
}

export interface InferenceFront {
  readonly url: string;
  close(): void;
}

/**
 * A server in front of the inference server.
 * @param server URL of the one behind, which may move
 * @param rollouts by this many completions a task is told from canaries and evaluations
 * @param before waited for before the server is asked for a task's rollouts
 */
export async function startInferenceFront(params: {
  readonly server: () => string;
  readonly rollouts: number;
  readonly before: (asked: AskedRollouts) => Promise<void>;
}): Promise<InferenceFront> {
  const made = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks).toString();
      const wanted = request.method === 'POST' ? (JSON.parse(body) as Record<string, unknown>) : {};
      if (wanted['n'] === params.rollouts) {
        await params.before({ prompt: JSON.stringify(wanted['prompt']), seed: Number(wanted['seed']) });
      }
      const headers = { 'content-type': 'application/json' };
      const sent = request.method === 'POST' ? { method: 'POST', headers, body } : {};
      const reply = await fetch(`${params.server().replace('/v1', '')}${request.url}`, sent);
      response.writeHead(reply.status).end(await reply.text());
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(made.address() as AddressInfo).port}/v1`,
    close() {
      made.closeAllConnections();
      made.close();
    },
  };
}
