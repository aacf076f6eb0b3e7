import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The real inference server as a process of its own, as the control plane starts it. */
export interface EmbeddedServer {
  readonly url: string;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL('../../../dist/services/inference/main.js', import.meta.url)).replace(
  '/dist/dist/',
  '/dist/',
);

export async function startEmbeddedServer(params: {
  readonly model: string;
  readonly adaptersRoot: string;
  readonly directory: string;
  /** Adapters that it holds at a time. */
  readonly maxLoras?: number;
  readonly maxModelLen?: number;
}): Promise<EmbeddedServer> {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: run npm run build first`);
  mkdirSync(params.adaptersRoot, { recursive: true });
  const ready = path.join(params.directory, `ready-${Date.now()}.json`);
  const given = ['--model', params.model, '--served-model-name', 'run-test0000', '--host', '127.0.0.1', '--port', '0'];
  const adapters = [
    '--enable-lora',
    '--max-lora-rank',
    '8',
    '--max-loras',
    `${params.maxLoras ?? 2}`,
    '--adapters-root',
    params.adaptersRoot,
  ];
  const more = ['--max-model-len', `${params.maxModelLen ?? 64}`, '--ready-file', ready];
  const child = spawn(process.execPath, [PROGRAM, ...given, ...adapters, ...more], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  while (!existsSync(ready)) {
    if (child.exitCode !== null) throw new Error(`the inference server ended with ${child.exitCode}`);
    await sleep(20);
  }
  const { url } = JSON.parse(readFileSync(ready, 'utf8')) as { url: string };
  rmSync(ready);
  return { url, kill: () => kill(child) };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
