import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHttpServer } from '../../../services/inference/server/http-server.ts';
import { type ApiRequest, json, type Reply, type Route } from '../../../services/inference/server/route.ts';
import { createServing, servingRoutes } from '../../../services/inference/start-server.ts';
import { startEngine } from '../../../services/model/backend.ts';
import { createFakeAdapters } from './adapters.ts';
import { parseCommand } from './arguments.ts';
import { createEngineControl } from './engine-control.ts';
import { type Faults, noFaults, strikes } from './faults.ts';
import { frontOf } from './front.ts';
import { garble } from './garble.ts';
import { withRawLogprobs } from './raw-logprobs.ts';

/** A vLLM that computes with the embedded server's engine, and is wrong where the real one is. */
export interface FakeVllm {
  /** Without a path: `http://127.0.0.1:8000`. */
  readonly origin: string;
  /** May be changed at any time. */
  readonly faults: Faults;
  /** What was asked, in order: method and path, with the query. */
  readonly calls: readonly string[];
  /** How often each adapter was read from disk. */
  readonly reads: ReadonlyMap<string, number>;
  /** Errors that no handler foresaw. */
  readonly reports: readonly unknown[];
  /** Is gone from one moment to the next, as a process that is killed; it has to be closed all the same. */
  die(): void;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 32 * 2 ** 20;

/**
 * @param command as `vllmCommand` writes it; `--port 0` takes a free one
 * @param env as `vllmEnvironment` writes it
 * @throws for a command line that vLLM would refuse
 */
export async function startFakeVllm(params: {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly faults?: Partial<Faults>;
  /** Told what vLLM prints of the adapters that come and go. */
  readonly tell?: (line: string) => void;
}): Promise<FakeVllm> {
  const settings = parseCommand(params.command, params.env ?? {});
  if (Object.keys(settings.server.loraModules).length > 0)
    throw new Error('the fake takes adapters over its API alone');
  const faults: Faults = { ...noFaults, ...params.faults };
  const [calls, reports]: [string[], unknown[]] = [[], []];
  const numerics = await startEngine();
  const serving = await createServing(settings.server, numerics, (error) => void reports.push(error));
  const control = createEngineControl(serving, settings, faults);
  const adapters = createFakeAdapters(serving.models.base, faults);
  const embedded = servingRoutes({ ...serving, engine: control.engine, models: adapters.models });

  const developed = (path: string) => path === '/reset_prefix_cache' && !settings.devMode;
  const replaced = (path: string) => path.includes('_lora_adapter') || path === '/version';
  const gone = (path: string) => path.startsWith('/tandem/') || replaced(path) || developed(path);
  const routes: Route[] = [
    ...embedded.filter(({ path }) => !gone(path)).map(completing),
    { method: 'GET', path: '/version', handle: () => json({ version: '0.30.0' }) },
    ...(settings.runtimeLora ? adapters.routes(embedded).map(telling) : []),
    ...(settings.devMode ? control.routes(adapters.wake) : []),
  ];

  /** The routes that draw tokens, with what goes wrong there. */
  function completing(route: Route): Route {
    if (!route.path.endsWith('completions')) return route;
    return {
      ...route,
      async handle(request: ApiRequest): Promise<Reply> {
        await adapters.prepare(request.body);
        await control.drawSlowly();
        const reply = await route.handle(request);
        const raw = settings.rawLogprobs && route.path === '/v1/completions';
        const told = raw ? await withRawLogprobs(route, request, reply) : reply;
        return strikes(faults, 'garbles') ? garble(told, faults.garbles!) : told;
      },
    };
  }

  function telling(route: Route): Route {
    return {
      ...route,
      async handle(request) {
        const reply = await route.handle(request);
        const { lora_name: name, lora_path: path } = request.body as Record<string, unknown>;
        const loaded = `Loaded new LoRA adapter: name '${String(name)}', path '${String(path)}'`;
        params.tell?.(route.path.includes('/unload') ? `Removed LoRA adapter: name '${String(name)}'` : loaded);
        return reply;
      },
    };
  }

  const inner = createHttpServer({
    routes: routes.map((route) => ({
      ...route,
      handle(request) {
        return route.path === faults.hangsAt ? new Promise<Reply>(() => undefined) : route.handle(request);
      },
    })),
    maxBodyBytes: MAX_BODY_BYTES,
    unexpected: (error) => void reports.push(error),
  });
  const front = frontOf(faults);
  const server = createServer((request, response) => {
    calls.push(`${request.method} ${request.url}`);
    if (!front(request, response)) inner.emit('request', request, response);
  });
  server.listen(settings.server.port, settings.server.host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    origin: `http://127.0.0.1:${port}`,
    ...{ faults, calls, reports, reads: adapters.reads },
    die() {
      server.close();
      server.closeAllConnections();
    },
    async close() {
      control.engine.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      adapters.dispose();
      serving.models.base.decoder.dispose();
    },
  };
}
