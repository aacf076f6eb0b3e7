import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Engine, startEngine } from '../model/backend.ts';
import { loadTokenizer } from '../model/tokenizer.ts';
import { ArgumentError, type ServerArguments } from './arguments.ts';
import { createInferenceEngine } from './engine/engine.ts';
import { loadDecoder } from './engine/load-decoder.ts';
import { createModelRegistry } from './engine/served-model.ts';
import { chatRoutes } from './server/chat-completions.ts';
import { completionRoutes } from './server/completions.ts';
import { createHttpServer } from './server/http-server.ts';
import { createMetrics, type Metrics } from './server/metrics.ts';
import { modelRoutes } from './server/models.ts';
import { prefixRoutes } from './server/prefixes.ts';
import { probeRoutes } from './server/probes.ts';
import type { Route } from './server/route.ts';
import type { ServingContext } from './server/serving-context.ts';
import { createTokenText } from './server/token-text.ts';
import { tokenizeRoutes } from './server/tokenize.ts';
import { loadLoraModules, weightRoutes } from './server/weight-routes.ts';

/** A server that answers. */
export interface RunningServer {
  /** Without a path: `http://127.0.0.1:8000`. */
  readonly origin: string;
  /** Ends what is running with finish reason `abort`, answers it and closes. */
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 32 * 2 ** 20;
const MAX_WAITING_PROMPTS = 4096;
/** How long answers under way may take to leave after the engine has stopped. */
const CLOSE_MS = 2000;
const SWEEP_MS = 10;

/**
 * Loads the model and serves it. Composition happens here, in the order of start-up.
 *
 * @param report told of errors for the log: internal ones of requests, and the one that ends the engine
 * @throws ModelError, EngineMemoryError, ArgumentError, or the listener's error
 */
export async function startServer(
  settings: ServerArguments,
  events: { readonly report: (message: string, error: unknown) => void; readonly onDeath: (error: Error) => void },
): Promise<RunningServer> {
  // On every machine, whatever TANDEM_TF gives the trainer: TensorFlow multiplies one row by other sums than many rows, so what a request
  // gets would depend on its neighbours in the batch.
  const numerics = await startEngine({ engine: 'wasm' });
  const context = await createServing(settings, numerics, events.onDeath);
  await loadLoraModules(context, settings.loraModules);
  const server = createHttpServer({
    routes: servingRoutes(context),
    maxBodyBytes: MAX_BODY_BYTES,
    unexpected: (error, { method, path }) => events.report(`${method} ${path}`, error),
  });
  await listen(server, settings.host, settings.port);
  const { address, family, port } = server.address() as AddressInfo;
  const origin = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  return { origin, close: () => close(server, context) };
}

/** Everything that is served. */
export function servingRoutes(context: Serving): Route[] {
  return [
    ...probeRoutes(context),
    ...modelRoutes(context),
    ...completionRoutes(context),
    ...chatRoutes(context),
    ...tokenizeRoutes(context),
    ...weightRoutes(context),
    ...prefixRoutes(context),
    context.metrics.route(context.engine, context.models),
  ];
}

/** What the handlers work with, and what counts it. */
export type Serving = ServingContext & { readonly metrics: Metrics };

/** Loads the model and makes the engine that computes it. @throws ModelError, EngineMemoryError, ArgumentError */
export async function createServing(
  settings: ServerArguments,
  numerics: Engine,
  onDeath: (error: Error) => void,
): Promise<Serving> {
  const decoder = await loadDecoder(numerics, settings.model, settings.quantised);
  const tokenizer = await loadTokenizer(settings.model, decoder.config);
  const tokenText = createTokenText(tokenizer);
  const metrics = createMetrics({ modelName: settings.servedModelName, maxLoras: settings.maxLoras });
  const engine = createInferenceEngine({
    limits: {
      maxBatchedTokens: settings.maxNumBatchedTokens,
      maxLoras: settings.maxLoras,
      maxSequences: settings.maxNumSeqs,
      maxWaiting: MAX_WAITING_PROMPTS,
      kvCacheBytes: settings.kvCacheMemoryBytes,
    },
    decodeText: tokenText.decode,
    observer: metrics,
    now: () => performance.now() / 1000,
    onDeath,
  });
  const now = () => Date.now() / 1000;
  const models = createModelRegistry({
    name: settings.servedModelName,
    path: settings.model,
    kind: 'base',
    decoder,
    adapter: undefined,
    created: Math.floor(now()),
  });
  return {
    engine,
    numerics,
    models,
    tokenizer,
    tokenText,
    metrics,
    now,
    contextLength: contextLength(settings.maxModelLen, decoder.config.maxPositions),
    adapters: settings.enableLora ? { maxRank: settings.maxLoraRank } : null,
    weightsRoot: settings.adaptersRoot,
  };
}

function contextLength(asked: number | null, maxPositions: number): number {
  if (asked === null || asked <= maxPositions) return asked ?? maxPositions;
  throw new ArgumentError(`--max-model-len ${asked} is more than the model's max_position_embeddings, ${maxPositions}`);
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host);
  await once(server, 'listening');
}

async function close(server: Server, context: ServingContext): Promise<void> {
  context.engine.stop();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection becomes idle only after its last answer has left.
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  const overdue = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
  await closed;
  clearInterval(sweep);
  clearTimeout(overdue);
}
