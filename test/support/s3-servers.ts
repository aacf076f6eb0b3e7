import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'minio';
import { removeTree } from '../../services/platform/testing/remove-tree.ts';

/** A real S3 server on a loopback port, with a bucket. */
export interface S3Server {
  name: 'minio' | 'versitygw';
  endpoint: string;
  accessKey: string;
  secretKey: string;
  region: string;
  bucket: string;
  /** What it stores lies below this directory, and stays there through `kill` and `start`. */
  directory: string;
  pid(): number | undefined;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port and directory; nothing happens when it runs. */
  start(): Promise<void>;
  /** Kills it and removes its directory. */
  close(): Promise<void>;
  /** Everything it has written to its output. */
  log(): string;
}

/** `data`: where objects are stored, for a disk of the caller's (which `close` leaves alone); `env`: for the server's process. */
export interface S3ServerOptions {
  data?: string;
  env?: Record<string, string>;
}

/** Path of the MinIO server; null where there is none. */
export const minioBinary = (): string | null => binary('TANDEM_MINIO', 'minio');

/** Path of versitygw; null where there is none. */
export const versitygwBinary = (): string | null => binary('TANDEM_VERSITYGW', 'versitygw');

/** Why a test that needs both servers cannot run here; null where it can. */
export function missingS3Servers(): string | null {
  const missing = [minioBinary() === null ? 'minio' : '', versitygwBinary() === null ? 'versitygw' : ''].filter(
    Boolean,
  );
  return missing.length === 0 ? null : `${missing.join(' and ')}: no binary; scripts/test.sh builds it with Go`;
}

export function startMinio(options: S3ServerOptions = {}): Promise<S3Server> {
  return startServer('minio', minioBinary(), options, ({ port, data, accessKey, secretKey }) => ({
    command: ['server', '--quiet', '--address', `127.0.0.1:${port}`, '--console-address', '127.0.0.1:0', data],
    env: { MINIO_ROOT_USER: accessKey, MINIO_ROOT_PASSWORD: secretKey, MINIO_BROWSER: 'off', MINIO_UPDATE: 'off' },
  }));
}

export function startVersitygw(options: S3ServerOptions = {}): Promise<S3Server> {
  return startServer('versitygw', versitygwBinary(), options, ({ port, data, directory, accessKey, secretKey }) => {
    // Not every file system takes extended attributes, where it would keep ETags and checksums; a directory beside the data does it anywhere.
    const sidecar = join(directory, 'sidecar');
    mkdirSync(sidecar, { recursive: true });
    return {
      command: ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', '--sidecar', sidecar, data],
      env: { ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey, VGW_REGION: REGION },
    };
  });
}

const REGION = 'us-east-1';

/** A test that fails before `close` leaves no server behind. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

interface Place {
  port: number;
  data: string;
  directory: string;
  accessKey: string;
  secretKey: string;
}

async function startServer(
  name: S3Server['name'],
  program: string | null,
  options: S3ServerOptions,
  describe: (place: Place) => { command: string[]; env: Record<string, string> },
): Promise<S3Server> {
  if (program === null) throw new Error(`${name} has no binary here; scripts/test.sh builds it with Go`);
  const directory = mkdtempSync(join(tmpdir(), `tandem-${name}-`));
  const data = options.data ?? join(directory, 'data');
  mkdirSync(data, { recursive: true });
  const output = join(directory, 'server.log');
  const port = await freePort();
  const place: Place = { port, data, directory, accessKey: `test-${name}`, secretKey: 'secret-of-the-tests' };
  const { command, env } = describe(place);
  const retryOptions = { disableRetry: true };
  const client = new Client({ ...place, endPoint: '127.0.0.1', useSSL: false, region: REGION, retryOptions });
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    if (child !== undefined && isAlive(child)) return;
    const file = openSync(output, 'a');
    const started = spawn(program!, command, {
      cwd: directory,
      env: { PATH: process.env['PATH'] ?? '', HOME: directory, ...env, ...options.env },
      stdio: ['ignore', file, file],
    });
    child = started;
    closeSync(file);
    running.add(started);
    started.once('exit', () => running.delete(started));
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(50)) {
      if (!isAlive(started)) break;
      const answers = await client.bucketExists('tandem').catch(() => null);
      if (answers === true) return;
      if (answers === false) await client.makeBucket('tandem', REGION).catch(() => undefined);
    }
    throw new Error(`${name} did not become ready:\n${readFileSync(output, 'utf8')}`);
  }

  async function kill(): Promise<void> {
    if (child === undefined || !isAlive(child)) return;
    const gone = new Promise((resolve) => child!.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async function close(): Promise<void> {
    await kill();
    await removeTree(directory);
  }

  await start().catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    name,
    endpoint: `http://127.0.0.1:${port}`,
    accessKey: place.accessKey,
    secretKey: place.secretKey,
    region: REGION,
    bucket: 'tandem',
    directory: data,
    pid: () => child?.pid,
    kill,
    start,
    close,
    log: () => readFileSync(output, 'utf8'),
  };
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

function binary(variable: string, name: string): string | null {
  const cache = process.env['TANDEM_TEST_CACHE'] ?? join(homedir(), '.cache/tandem-test');
  const path = process.env[variable] || join(cache, name, name);
  return existsSync(path) ? path : null;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
