import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { type AgentOperations, agentOperations } from '../../contracts/agent-operations.ts';
import type { Operation } from '../../contracts/operation.ts';
import { type Operations, operations } from '../../contracts/operations.ts';
import type { Problem } from '../../contracts/problem.ts';
import type { LogFields } from '../../platform/logger.ts';
import { createAgentApp } from './agent-app.ts';
import type { Handlers } from './handlers.ts';
import type { Idempotency } from './idempotency.ts';
import { createListener, LISTENER_LIMITS, type ListenerLimits } from './listener.ts';
import { ProblemError } from './problem-error.ts';
import { createPublicApp, type PublicAppOptions } from './public-app.ts';

/** A line that a tested app has logged. */
export interface LogEntry {
  level: string;
  message: string;
  fields: LogFields;
}

export interface TestServer {
  url: string;
  port: number;
  log: LogEntry[];
  /** Sends bytes as they are and collects what comes back until the server closes, or until `enough` says so. */
  raw(bytes: string | Buffer, enough?: (received: string) => boolean): Promise<string>;
  close(): Promise<void>;
}

/** The public app on a real HTTP server. Operations without a handler of the test answer `unavailable`. */
export async function servePublic(
  handlers: Partial<Handlers<Operations>>,
  {
    settings = {},
    idempotency = { once: async (_request, work) => ({ reply: await work(() => undefined), replayed: false }) },
    limits = {},
    checkResponses = true,
  }: {
    settings?: Partial<PublicAppOptions['settings']>;
    idempotency?: Idempotency;
    limits?: Partial<ListenerLimits>;
    checkResponses?: boolean;
  } = {},
): Promise<TestServer> {
  const { log, entries } = recordingLog();
  const app = createPublicApp({
    handlers: { ...unavailable<Operations>(operations), ...handlers },
    settings: { address: '127.0.0.1', allowedHosts: [], apiKey: null, ...settings },
    log,
    now: Date.now,
    idempotency,
    checkResponses,
  });
  return serve(app, entries, limits);
}

/** The agent app on a real HTTP server; the token of an attempt is `token-of-<attempt id>`. */
export async function serveAgent(handlers: Partial<Handlers<AgentOperations>>): Promise<TestServer> {
  const { log, entries } = recordingLog();
  const app = createAgentApp({
    handlers: { ...unavailable<AgentOperations>(agentOperations), ...handlers },
    authenticate: (attempt, token) => token === `token-of-${attempt}`,
    log,
    now: Date.now,
    checkResponses: true,
  });
  return serve(app, entries, {});
}

/** The problem a response carries; throws when it is none. */
export async function problemOf(response: Response): Promise<Problem & { kind: string }> {
  const type = response.headers.get('content-type') ?? '';
  if (!type.startsWith('application/problem+json'))
    throw new Error(`${response.status} ${type}: ${await response.text()}`);
  const problem = (await response.json()) as Problem;
  return { ...problem, kind: problem.type.replace('urn:tandem:problem:', '') };
}

async function serve(app: RequestListener, log: LogEntry[], limits: Partial<ListenerLimits>): Promise<TestServer> {
  const server = createListener(app, { ...LISTENER_LIMITS, ...limits });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    log,
    raw: (bytes, enough = () => false) => exchangeBytes(port, bytes, enough),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function exchangeBytes(port: number, bytes: string | Buffer, enough: (received: string) => boolean): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (enough(received)) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(received));
    socket.write(bytes);
  });
}

function unavailable<Ops extends Record<string, Operation>>(table: Ops): Handlers<Ops> {
  const refuse = async () => {
    throw new ProblemError('unavailable', 'The test has no handler for this operation.');
  };
  return Object.fromEntries(Object.keys(table).map((name) => [name, refuse])) as unknown as Handlers<Ops>;
}

function recordingLog() {
  const entries: LogEntry[] = [];
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}) =>
      void entries.push({ level, message, fields });
  return { entries, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } };
}
