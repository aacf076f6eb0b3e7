import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelConfig } from '../../../services/contracts/model-config.ts';
import { makeTinyModel, type TinyModelOptions } from '../../../services/model/tiny-model.ts';

const serverMain = resolve(import.meta.dirname, '../../../services/inference/main.js');

/** The embedded server as a process of its own, with a model that is made for it. */
export interface RolloutServer {
  readonly config: ModelConfig;
  /** Asks for completions as the trainer does, of exactly `tokens` tokens. @returns their tokens @throws Error for any other answer */
  complete(request: CompletionWish): Promise<number[][]>;
  /** A figure from `/metrics`. */
  metric(name: string): Promise<number>;
  /** The most memory the process has had, in bytes; null where the system does not tell. */
  peakBytes(): number | null;
  end(): Promise<void>;
}

export interface CompletionWish {
  readonly prompt: readonly number[];
  readonly n: number;
  readonly tokens: number;
  readonly seed: number;
  readonly cacheSalt: string;
}

export async function startRolloutServer(model: TinyModelOptions, contextLength: number): Promise<RolloutServer> {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-rollout-'));
  const config = await makeTinyModel(join(directory, 'model'), model);
  const readyFile = join(directory, 'ready.json');
  const given = ['--model', join(directory, 'model'), '--served-model-name', 'bench', '--port', '0'];
  const limits = ['--max-model-len', String(contextLength), '--ready-file', readyFile];
  const child = spawn(process.execPath, [serverMain, ...given, ...limits], { stdio: ['ignore', 'ignore', 'inherit'] });
  while (!existsSync(readyFile)) {
    if (child.exitCode !== null) throw new Error(`the inference server ended with exit code ${child.exitCode}`);
    await sleep(20);
  }
  const { url } = JSON.parse(readFileSync(readyFile, 'utf8')) as { url: string };
  return {
    config,
    complete: (wish) => complete(url, wish),
    metric: (name) => metric(url, name),
    peakBytes: () => peakBytes(child.pid!),
    async end() {
      await end(child);
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function complete(url: string, wish: CompletionWish): Promise<number[][]> {
  const { prompt, n, tokens, seed, cacheSalt } = wish;
  const response = await fetch(`${url}/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ model: 'bench', prompt: [prompt], n, seed, max_tokens: tokens, ignore_eos: true, cache_salt: cacheSalt },
      ...{ temperature: 1, top_p: 1, logprobs: 0, return_token_ids: true },
    }),
  });
  const reply = (await response.json()) as { choices?: { token_ids: number[] }[] };
  const drawn = reply.choices?.map(({ token_ids: ids }) => ids) ?? [];
  if (drawn.length === n && drawn.every(({ length }) => length === tokens)) return drawn;
  throw new Error(`the server answered ${response.status}: ${JSON.stringify(reply).slice(0, 500)}`);
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(new URL('/metrics', url))).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name}{`));
  if (line === undefined) throw new Error(`the server has no metric ${name}`);
  return Number(line.split(' ').at(-1));
}

function peakBytes(pid: number): number | null {
  const status = `/proc/${pid}/status`;
  const kibibytes = existsSync(status) && /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(status, 'utf8'))?.[1];
  return kibibytes ? Number(kibibytes) * 1024 : null;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await gone;
}
