import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { resolveRunSpec } from '../../services/contracts/resolve-run-spec.ts';
import { readGpuProfiles } from '../../services/control-plane/runs/gpu-profiles.ts';
import { vllmCommand, vllmEnvironment } from '../../services/control-plane/runtimes/vllm-role.ts';

const root = resolve(import.meta.dirname, '../..').replace(/\/dist$/, '');

/** Inference servers as users start them by hand. */
export interface OwnServers {
  /** A vLLM, by the command that the control plane would write. */
  vllm(address: Address & { model: string }): Promise<ChildProcess>;
  embedded(address: Address & { args: readonly string[] }): Promise<ChildProcess>;
  kill(server: ChildProcess): Promise<void>;
  killAll(): Promise<void>;
}

interface Address {
  port: number;
  host?: string;
  /** Words that run a command in the network where it listens. */
  enter?: readonly string[];
}

export function createOwnServers(): OwnServers {
  const servers: ChildProcess[] = [];
  const start = async (program: string, args: readonly string[], env: Record<string, string>, address: Address) => {
    const { host = '127.0.0.1', port, enter = [] } = address;
    const file = join(root, 'dist', program);
    if (!existsSync(file)) throw new Error('dist/ is missing: run `npm run build` first');
    const [command, ...words] = [...enter, process.execPath, file, ...args];
    const child = spawn(command!, words, { stdio: 'ignore', env: { ...process.env, ...env } });
    servers.push(child);
    const url = `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}/health`;
    for (let tries = 0; tries < 400; tries++, await sleep(50)) if (answers(url, enter)) return child;
    throw new Error(`${program} does not answer at ${url}`);
  };
  const kill = async (child: ChildProcess) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return {
    vllm: async ({ model, ...address }) => {
      const resolved = resolveRunSpec({ model: { name: model, max_seq_length: 64 }, rollout: { max_new_tokens: 5 } });
      if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
      const profile = (await readGpuProfiles(join(root, 'gpu-profiles'))).get('split-2')!;
      const { port, host = '127.0.0.1' } = address;
      const server = { spec: resolved.spec, profile, model, name: 'mine', host, port };
      return start('test/support/fake-vllm/main.js', vllmCommand(server), vllmEnvironment(server), address);
    },
    embedded: ({ args, ...address }) => start('services/inference/main.js', args, {}, address),
    kill,
    killAll: async () => {
      for (const server of servers.splice(0)) await kill(server);
    },
  };
}

function answers(url: string, enter: readonly string[]): boolean {
  const [program, ...words] = [...enter, 'curl', '-sf', '-m', '2', '-o', '/dev/null', url];
  try {
    execFileSync(program!, words, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
