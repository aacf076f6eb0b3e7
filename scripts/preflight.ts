import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chooseGpuSource } from '../services/control-plane/gpus/choose-source.ts';
import { createGpuService } from '../services/control-plane/gpus/gpu.service.ts';
import type { Facts } from '../services/control-plane/preflight/facts.ts';
import { preflight } from '../services/control-plane/preflight/preflight.service.ts';
import { dockerSocket } from '../services/control-plane/preflight/read-docker.ts';
import { readPort } from '../services/control-plane/preflight/read-host.ts';
import { renderPreflight } from '../services/control-plane/preflight/render.ts';
import { createDockerEngine } from '../services/control-plane/runtimes/docker/engine/create-docker-engine.ts';
import { readSettings } from '../services/control-plane/settings.ts';
import { StartError } from '../services/control-plane/start-error.ts';
import { createLogger } from '../services/platform/logger.ts';
import { SettingsError, withEnvFile } from '../services/platform/settings.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** sysexits.h: wrong usage. */
const EXIT_USAGE = 64;
const USAGE = 'Usage: ./scripts/preflight.sh [--runtime docker|process]';

/** `./scripts/preflight.sh`: whether this host is ready, without a control plane. Ends with 1 when something that is needed is missing. */
try {
  const { values } = parseArgs({ options: { runtime: { type: 'string' } } });
  const environment = withEnvFile(process.env, join(process.cwd(), '.env'));
  process.exitCode = await check(chooseRuntime(values.runtime, environment), environment);
} catch (error) {
  const isUsage = error instanceof TypeError || error instanceof SettingsError;
  const isKnown = isUsage || error instanceof StartError;
  console.error(`preflight: ${isKnown ? (error as Error).message : (error as Error).stack}`);
  process.exitCode = isUsage ? EXIT_USAGE : 1;
}

async function check(runtime: Facts['runtime'], environment: Environment): Promise<number> {
  // The Docker runtime's own settings are set in the container that compose starts, not here.
  const {
    home,
    outputs,
    port,
    gpus: setting,
  } = readSettings({ ...environment, TANDEM_RUNTIME: 'process' }, process.cwd());
  const closing = new AbortController();
  const gpus = createGpuService({
    source: await chooseGpuSource({ setting, environment }),
    everyMs: 0,
    onRead: () => {},
    closing: closing.signal,
    now: Date.now,
    steady: () => performance.now(),
    log: createLogger({ level: 'error' }),
  });
  const found = await preflight(
    {
      runtime,
      environment,
      engine: createDockerEngine({ socketPath: dockerSocket(environment) }),
      image: environment['TANDEM_IMAGE'] || `tandem:${packageVersion()}`,
      inventory: () => gpus.inventory({ refresh: true }),
      paths: [home, outputs],
      ports: () => Promise.all(portsOf(runtime, environment, port).map(([name, number]) => readPort(name, number))),
    },
    { probe: true, signal: closing.signal },
  );
  for (const line of renderPreflight(found)) console.log(line);
  return found.ready ? 0 : 1;
}

/** As the flag or TANDEM_RUNTIME say; else docker where .env names compose files, as .env.example does. */
function chooseRuntime(flag: string | undefined, environment: Environment): Facts['runtime'] {
  const wanted = flag ?? (environment['TANDEM_RUNTIME'] || (environment['COMPOSE_FILE'] ? 'docker' : 'process'));
  if (wanted === 'docker' || wanted === 'process') return wanted;
  throw new TypeError(`the runtime is ${wanted}; it is docker or process\n${USAGE}`);
}

/** Those of the control plane, and of what compose starts beside it. */
function portsOf(runtime: Facts['runtime'], environment: Environment, port: number): [setting: string, port: number][] {
  const composed: [string, string][] = [
    ['MINIO_PORT', '9000'],
    ['MINIO_CONSOLE_PORT', '9001'],
  ];
  const own: [string, number] = ['PORT', port];
  return runtime === 'process'
    ? [own]
    : [own, ...composed.map(([name, usual]) => [name, Number(environment[name] || usual)] as [string, number])];
}

function packageVersion(): string {
  const path = join(import.meta.dirname, import.meta.dirname.includes('/dist/') ? '../..' : '..', 'package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
