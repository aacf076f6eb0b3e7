import type { ModelConfig } from '../../services/contracts/model-config.ts';
import { startEngine } from '../../services/model/backend.ts';
import { createKernels } from '../../services/model/kernels/create-kernels.ts';
import { type Bench, round, table } from './support/bench.ts';
import { benchModels } from './support/bench-models.ts';
import { conversationTokens, measureReuse } from './support/conversations.ts';
import { matmulPeak } from './support/matmul-peak.ts';
import { fastest, timedInTurns } from './support/measure.ts';
import { attentionFlops, headWeights, layerWeights } from './support/model-flops.ts';
import { type RolloutServer, startRolloutServer } from './support/rollout-server.ts';

const PROMPT = Array.from({ length: 32 }, (_, i) => 3 + (i % 40));
const NEW_TOKENS = 64;
const GROUPS = [1, 8, 32] as const;
const REQUESTS = 7;

/**
 * Completions of the embedded server over HTTP, as the trainer asks for them: one prompt, `n` completions of 64 tokens, logprobs and token ids.
 * The gain of batching is against the same server writing one completion at a time; that of prefix reuse, over conversations of four turns, against
 * the same server computing every turn anew.
 */
export const runRolloutBench: Bench = async (print) => {
  const peak = matmulPeak(createKernels(await startEngine({ engine: 'wasm' })));
  print(`matrix products reach ${(peak / 1e9).toFixed(1)} GFLOP/s in this engine`);
  const models: Record<string, Figures> = {};
  for (const [name, options] of Object.entries(benchModels)) {
    const server = await startRolloutServer(options, conversationTokens);
    try {
      models[name] = await measure(server, peak);
    } finally {
      await server.end();
    }
  }
  printTables(models, print);
  const { flop_shares: _, ...larger } = models['4 x 256']!;
  return {
    bench: 'rollout',
    baseline:
      'the same server writing one completion at a time, and computing every turn anew; matrix products of the same engine for flop_share',
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
  /** Time of conversations of four turns without reuse over that with it. */
  prefix_reuse_gain: number;
  /** Share of their prompt tokens that were found. */
  prefix_hits: number;
  /** Of the KV cache, for each of 32 completions of 64 tokens. */
  kv_bytes_per_sequence: number;
  /** What they would take with a copy of the prompt each. */
  kv_bytes_unshared: number;
  /** What these 32 take of the most memory that the server had by then; null where the system does not tell. */
  kv_share_of_peak: number | null;
}

async function measure(server: RolloutServer, peak: number): Promise<Figures> {
  let seed = 0;
  const work = (n: number) => () =>
    server.complete({ prompt: PROMPT, n, tokens: NEW_TOKENS, seed: seed++, cacheSalt: `request-${seed}` });
  const memory = await measureMemory(server, work(32));
  const rates: Record<number, number> = {};
  const shares: Record<number, number> = {};
  const works = Object.fromEntries(GROUPS.map((n) => [n, work(n)]));
  const times = await timedInTurns(works, { count: REQUESTS, warmup: 1 });
  for (const n of GROUPS) {
    const seconds = fastest(times[n]!) / 1000;
    rates[n] = round((n * NEW_TOKENS) / seconds);
    shares[n] = round(flopsOf(server.config, n) / seconds / peak);
  }
  const reuse = await measureReuse(server);
  return {
    tokens_per_s: rates as Figures['tokens_per_s'],
    batching_gain: round(rates[32]! / rates[1]!),
    batching_gain_8: round(rates[8]! / rates[1]!),
    flop_share: shares[32]!,
    flop_shares: shares as Figures['flop_shares'],
    prefix_reuse_gain: round(reuse.gain),
    prefix_hits: round(reuse.hits),
    ...memory,
  };
}

/** The first request of a server: what its cache holds afterwards is what that needed. */
async function measureMemory(server: RolloutServer, work: () => Promise<unknown>) {
  await work();
  const { layers, kvHeads, headDim } = server.config;
  const rowBytes = layers * 2 * kvHeads * headDim * Float32Array.BYTES_PER_ELEMENT;
  const held = await server.metric('tandem:kv_cache_held_bytes');
  const mostBytes = server.peakBytes();
  return {
    kv_bytes_per_sequence: Math.round(held / 32),
    kv_bytes_unshared: rowBytes * (PROMPT.length + NEW_TOKENS - 1),
    kv_share_of_peak: mostBytes === null ? null : round(held / mostBytes),
  };
}

/** The prompt is read once for all its completions; the last token drawn is not read. */
function flopsOf(config: ModelConfig, n: number): number {
  const prompt = PROMPT.length * (2 * layerWeights(config) + attentionFlops(config, PROMPT.length / 2));
  const keys = PROMPT.length + NEW_TOKENS / 2;
  const read = n * (NEW_TOKENS - 1) * (2 * layerWeights(config) + attentionFlops(config, keys));
  return prompt + read + n * NEW_TOKENS * 2 * headWeights(config);
}

function printTables(models: Readonly<Record<string, Figures>>, print: (line: string) => void): void {
  const rates = Object.entries(models).flatMap(([name, figures]) =>
    GROUPS.map((n) => {
      const rate = figures.tokens_per_s[n];
      return [name, n, rate, rate / figures.tokens_per_s[1], figures.flop_shares[n]];
    }),
  );
  print(table([['model', 'completions', 'tokens/s', 'gain', 'share of peak'], ...rates]));
  const caches = Object.entries(models).map(([name, figures]) => [
    ...[name, figures.prefix_reuse_gain, figures.prefix_hits, figures.kv_bytes_per_sequence / 1024],
    ...[figures.kv_bytes_unshared / 1024, figures.kv_share_of_peak ?? 'unknown'],
  ]);
  print(
    table([
      ['KV cache', 'gain of reuse', 'prompt tokens found', 'KiB a sequence', 'KiB unshared', 'share of peak memory'],
      ...caches,
    ]),
  );
}
