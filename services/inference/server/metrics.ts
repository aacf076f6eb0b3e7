import type { EngineObserver, InferenceEngine } from '../engine/engine.ts';
import type { ModelRegistry } from '../engine/served-model.ts';
import { createHistogram, type Histogram } from './histogram.ts';
import type { Route } from './route.ts';

/** Counts what the engine does, under vLLM's names. */
export interface Metrics extends EngineObserver {
  route(engine: InferenceEngine, models: ModelRegistry): Route;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const TOKENS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

export function createMetrics(params: { readonly modelName: string; readonly maxLoras: number }): Metrics {
  const labels = `model_name=${quote(params.modelName)},engine="0"`;
  const histograms = {
    'vllm:iteration_tokens_total': createHistogram(TOKENS, 'Tokens of one forward pass.'),
    'vllm:time_to_first_token_seconds': createHistogram(SECONDS, 'From arrival to the first token.'),
    'vllm:e2e_request_latency_seconds': createHistogram(SECONDS, 'From arrival to the last token.'),
    'vllm:request_prompt_tokens': createHistogram(TOKENS, 'Tokens of a prompt.'),
    'vllm:request_generation_tokens': createHistogram(TOKENS, 'Tokens of a completion.'),
  };
  const finished = { stop: 0, length: 0, abort: 0 };
  const totals = { prompt: 0, generation: 0, lookedUp: 0, found: 0 };

  function render(engine: InferenceEngine, models: ModelRegistry): string {
    const { running, waiting, kvUsage, kvUsedBytes, kvHeldBytes } = engine.load;
    const adapters = models.list().filter(({ kind }) => kind === 'adapter');
    const names = adapters.map(({ name }) => name).join(',');
    const lora = `max_lora="${params.maxLoras}",running_lora_adapters=${quote(names)},waiting_lora_adapters=""`;
    const reasons = Object.entries(finished).map(([reason, count]) => {
      return `vllm:request_success_total{${labels},finished_reason="${reason}"} ${count}`;
    });
    return [
      ...gauge('vllm:num_requests_running', 'Completions in the batch.', labels, running),
      ...gauge('vllm:num_requests_waiting', 'Prompts that wait for room.', labels, waiting),
      ...gauge('vllm:kv_cache_usage_perc', 'Share of the KV cache that sequences use, 0 to 1.', labels, kvUsage),
      ...gauge('tandem:kv_cache_used_bytes', 'Of blocks that sequences use.', labels, kvUsedBytes),
      ...gauge('tandem:kv_cache_held_bytes', 'Of all blocks; what nobody uses is found again.', labels, kvHeldBytes),
      ...gauge('vllm:lora_requests_info', 'Adapters that are loaded.', lora, 1),
      ...counter('vllm:prompt_tokens_total', 'Prompt tokens of finished requests.', labels, totals.prompt),
      ...counter('vllm:generation_tokens_total', 'Tokens drawn.', labels, totals.generation),
      ...counter('vllm:prefix_cache_queries_total', 'Prompt tokens looked up.', labels, totals.lookedUp),
      ...counter('vllm:prefix_cache_hits_total', 'Of these, not computed again.', labels, totals.found),
      '# HELP vllm:request_success_total Completions that finished.',
      '# TYPE vllm:request_success_total counter',
      ...reasons,
      ...Object.entries<Histogram>(histograms).flatMap(([name, histogram]) => histogram.render(name, labels)),
      '',
    ].join('\n');
  }

  return {
    iteration: (tokens) => histograms['vllm:iteration_tokens_total'].observe(tokens),
    tokenDrawn: () => void totals.generation++,
    prefixLookedUp(tokens, found) {
      totals.lookedUp += tokens;
      totals.found += found;
    },
    firstToken: (after) => histograms['vllm:time_to_first_token_seconds'].observe(after),
    finished(request, { choices }, after) {
      totals.prompt += request.prompt.length;
      histograms['vllm:request_prompt_tokens'].observe(request.prompt.length);
      histograms['vllm:e2e_request_latency_seconds'].observe(after);
      for (const { tokens, finish } of choices) {
        histograms['vllm:request_generation_tokens'].observe(tokens.length);
        if (finish) finished[finish.reason]++;
      }
    },
    route: (engine, models) => ({
      method: 'GET',
      path: '/metrics',
      handle: () => ({
        kind: 'text',
        body: render(engine, models),
        contentType: 'text/plain; version=0.0.4; charset=utf-8',
      }),
    }),
  };
}

function gauge(name: string, help: string, labels: string, value: number): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name}{${labels}} ${value}`];
}

function counter(name: string, help: string, labels: string, value: number): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} counter`, `${name}{${labels}} ${value}`];
}

/** A label's value, as the Prometheus text format escapes it. */
function quote(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
