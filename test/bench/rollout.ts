import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelConfig } from '../../services/contracts/model-config.ts';
import { startEngine } from '../../services/model/backend.ts';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { type Bench, round, table } from './support/bench.ts';
import { benchModels } from './support/bench-models.ts';
import { matmulPeak } from './support/matmul-peak.ts';
import { fastest, timedInTurns } from './support/measure.ts';
import { attentionFlops, headWeights, layerWeights } from './support/model-flops.ts';

const serverMain = resolve(import.meta.dirname, '../../services/inference/main.js');
const PROMPT = Array.from({ length: 32 }, (_, i) => 3 + (i % 40));
const NEW_TOKENS = 64;
const GROUPS = [1, 8, 32] as const;
const REQUESTS = 7;

/**
 * Completions of the embedded server over HTTP, as the trainer asks for them: one prompt, `n` completions of 64 tokens, logprobs and token ids.
 * The gain of batching is against the same server writing one completion at a time.
 */
export const runRolloutBench: Bench = async (print) => {
  await startEngine();
  const peak = matmulPeak();
  print(`matrix products reach ${(peak / 1e9).toFixed(1)} GFLOP/s in this engine`);
  const models: Record<string, Figures> = {};
  const rows: (string | number)[][] = [['model', 'completions', 'tokens/s', 'gain', 'share of peak']];
  for (const [name, options] of Object.entries(benchModels)) {
    const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-rollout-'));
    const server = await startServer(directory, await makeTinyModel(join(directory, 'model'), options));
    try {
      const figures = await measure(server, peak);
      models[name] = figures;
      for (const n of GROUPS) {
        const rate = figures.tokens_per_s[n];
        rows.push([name, n, rate, rate / figures.tokens_per_s[1], figures.flop_shares[n]]);
      }
    } finally {
      await server.end();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    }
  }
  print(table(rows));
  const { flop_shares: _, ...larger } = models['4 x 256']!;
  return {
    bench: 'rollout',
    baseline: 'the same server writing one completion at a time; matrix products of the same engine for flop_share',
    model: '4 x 256',
    ...larger,
    models,
  };
};

interface Figures {
  tokens_per_s: Record<(typeof GROUPS)[number], number>;
  batching_gain: number;
  batching_gain_8: number;
  /** At 32 completions. */
  flop_share: number;
  flop_shares: Record<(typeof GROUPS)[number], number>;
}

interface Server {
  url: string;
  config: ModelConfig;
  end(): Promise<void>;
}

async function measure({ url, config }: Server, peak: number): Promise<Figures> {
  const rates: Record<number, number> = {};
  const shares: Record<number, number> = {};
  let seed = 0;
  const works = Object.fromEntries(GROUPS.map((n) => [n, () => complete(url, n, seed++)]));
  const times = await timedInTurns(works, { count: REQUESTS, warmup: 1 });
  for (const n of GROUPS) {
    const seconds = fastest(times[n]!) / 1000;
    rates[n] = round((n * NEW_TOKENS) / seconds);
    shares[n] = round(flopsOf(config, n) / seconds / peak);
  }
  return {
    tokens_per_s: rates as Figures['tokens_per_s'],
    batching_gain: round(rates[32]! / rates[1]!),
    batching_gain_8: round(rates[8]! / rates[1]!),
    flop_share: shares[32]!,
    flop_shares: shares as Figures['flop_shares'],
  };
}

/** The prompt is read once for all its completions; the last token drawn is not read. */
function flopsOf(config: ModelConfig, n: number): number {
  const prompt = PROMPT.length * (2 * layerWeights(config) + attentionFlops(config, PROMPT.length / 2));
  const keys = PROMPT.length + NEW_TOKENS / 2;
  const read = n * (NEW_TOKENS - 1) * (2 * layerWeights(config) + attentionFlops(config, keys));
  return prompt + read + n * NEW_TOKENS * 2 * headWeights(config);
}

async function complete(url: string, n: number, seed: number): Promise<void> {
  const response = await fetch(`${url}/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'bench',
      prompt: [PROMPT],
      n,
      seed,
      max_tokens: NEW_TOKENS,
      ignore_eos: true,
      temperature: 1,
      top_p: 1,
      logprobs: 0,
      return_token_ids: true,
    }),
  });
  const reply = (await response.json()) as { usage?: { completion_tokens: number } };
  if (reply.usage?.completion_tokens === n * NEW_TOKENS) return;
  throw new Error(`the server answered ${response.status}: ${JSON.stringify(reply).slice(0, 500)}`);
}

async function startServer(directory: string, config: ModelConfig): Promise<Server> {
  const readyFile = join(directory, 'ready.json');
  const given = ['--model', join(directory, 'model'), '--served-model-name', 'bench', '--port', '0'];
  const child = spawn(process.execPath, [serverMain, ...given, '--max-model-len', '256', '--ready-file', readyFile], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  while (!existsSync(readyFile)) {
    if (child.exitCode !== null) throw new Error(`the inference server ended with exit code ${child.exitCode}`);
    await sleep(20);
  }
  const { url } = JSON.parse(readFileSync(readyFile, 'utf8')) as { url: string };
  return { url, config, end: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await gone;
}
