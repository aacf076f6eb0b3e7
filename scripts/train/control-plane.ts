import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient, RefusedError } from '../quickstart/client.ts';
import { screen } from '../quickstart/screen.ts';
import { type Compose, findCompose, runShown } from './compose.ts';

const READY_MS = 180_000;
const KEY_FILE = '/var/lib/tandem/secrets/api-key';

export interface UsedControlPlane {
  client: Client;
  /** Ends what was started for this run, unless others use it. */
  cleanUp(): Promise<void>;
}

export interface FindOptions {
  /** Root of the repository. */
  root: string;
  /** The real environment over .env. */
  environment: Readonly<Record<string, string | undefined>>;
  /** A control plane that runs; null: the one of this host. */
  url: string | null;
  keep: boolean;
}

/** A control plane that answers: the one that is named, the one that runs on this host, or one that compose starts. @throws Error with the remedy */
export async function findControlPlane(options: FindOptions): Promise<UsedControlPlane> {
  const { root, environment, url, keep } = options;
  const key = environment['TANDEM_API_KEY'] || null;
  const leave = async () => {};
  if (url !== null) {
    if (!(await isReady(url)))
      throw new Error(`no control plane answers at ${url}; start it, or leave out --url and TANDEM_URL`);
    return { client: await withToken(url, [() => key]), cleanUp: leave };
  }
  const local = `http://127.0.0.1:${environment['PORT'] || '8080'}`;
  const compose = findCompose(root, environment);
  const keys = [() => key, () => keyOf(compose)];
  if (await isReady(local)) {
    screen.line(`  ${local} is up already`);
    return { client: await withToken(local, keys), cleanUp: leave };
  }
  if (typeof compose === 'string') {
    throw new Error(
      `nothing answers at ${local}, and compose cannot start it: ${compose}. Start Docker, or \`npm start\` in another terminal`,
    );
  }
  await runShown([join(root, 'scripts/build-image.sh'), 'tandem', 'minio'], root, environment);
  await compose.show(['up', '-d']);
  await untilReady(local, compose);
  const client = await withToken(local, keys);
  return { client, cleanUp: () => (keep ? leave() : cleanUp(client, compose)) };
}

async function untilReady(url: string, compose: Compose): Promise<void> {
  const began = Date.now();
  for (; Date.now() - began < READY_MS; await sleep(500)) {
    if (await isReady(url)) return;
    screen.progress(`  waiting until ${url} is ready: ${Math.round((Date.now() - began) / 1000)} s`, false);
  }
  const log = compose.ask(['logs', '--tail', '20', 'control-plane']) ?? '';
  throw new Error(`${url} was not ready after ${READY_MS / 1000} s; see \`${compose.shown} logs\`:\n${log}`);
}

async function cleanUp(client: Client, compose: Compose): Promise<void> {
  const others = await client.activeRuns();
  if (others.length > 0) {
    screen.line(
      `  ${others.map(({ id }) => id).join(', ')} still use the control plane: it stays; \`${compose.shown} down\` ends it`,
    );
    return;
  }
  // The run has ended as it has, whatever is left behind.
  await compose
    .show(['down'])
    .catch((error: unknown) => screen.line(`  ${(error as Error).message}; try it once more`));
}

/** A client whose token the control plane takes, if it wants one. */
async function withToken(url: string, keys: readonly (() => string | null)[]): Promise<Client> {
  for (const key of [() => null, ...keys]) {
    const token = key();
    const client = createClient(url, token);
    try {
      await client.activeRuns();
      return client;
    } catch (error) {
      if (!(error instanceof RefusedError) || error.status !== 401) throw error;
    }
  }
  throw new Error(`${url} asks for its key: set TANDEM_API_KEY, in .env or in the environment`);
}

function keyOf(compose: Compose | string): string | null {
  return typeof compose === 'string' ? null : compose.ask(['exec', '-T', 'control-plane', 'cat', KEY_FILE]);
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}
