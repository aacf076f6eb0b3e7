import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Server {
  url: string;
  process: ChildProcess;
  logFile: string;
}

/**
 * Starts the control plane as a process of its own and waits until it is ready.
 * @throws with its own words when it ends instead, such as for a port in use.
 */
export async function startServer({ home, port }: { home: string; port: number }): Promise<Server> {
  mkdirSync(home, { recursive: true });
  const logFile = join(home, 'quickstart-server.log');
  const log = openSync(logFile, 'w');
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../services/control-plane/main.js')], {
    env: { ...process.env, PORT: String(port), TANDEM_HOME: home },
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);

  const url = `http://127.0.0.1:${port}`;
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(100)) {
    if (child.exitCode !== null) throw new Error(lastLines(logFile));
    if (await isReady(url)) return { url, process: child, logFile };
  }
  child.kill('SIGKILL');
  throw new Error(`the control plane was not ready after 30 seconds:\n${lastLines(logFile)}`);
}

/** Asks the control plane to end and waits until it has. */
export async function stopServer({ process: child }: Server): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  await Promise.race([ended, sleep(10_000).then(() => child.kill('SIGKILL'))]);
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok;
  } catch {
    return false;
  }
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trim().split('\n').slice(-5).join('\n');
}
