import { expect, it } from 'vitest';
import type { Decoder } from '../../model/decoder.ts';
import { createModelRegistry } from '../engine/served-model.ts';
import { generationRequest, served, tinyEngine } from '../testing/tiny-engine.ts';
import { createMetrics } from './metrics.ts';
import type { Reply } from './route.ts';

it('renders what happened as Prometheus text: each completion by its reason, each prompt once', () => {
  const base = served('a "quoted" name', {} as Decoder);
  const metrics = createMetrics({ modelName: base.name, maxLoras: 2 });
  metrics.iteration(9);
  metrics.firstToken(0.004);
  metrics.prefixLookedUp(40, 32);
  metrics.prefixLookedUp(5, 0);
  for (let i = 0; i < 7; i++) metrics.tokenDrawn();
  const choice = (reason: 'stop' | 'length', tokens: number[]) => ({
    tokens,
    logprobs: null,
    text: '',
    finish: { reason, stopReason: null },
  });
  const choices = [choice('stop', [1, 2, 3]), choice('length', [1, 2, 3, 4])];
  metrics.finished(generationRequest(base, [1, 2, 3, 4, 5]), { choices, promptLogprobs: null, cachedTokens: 0 }, 0.2);
  const reply = metrics.route(tinyEngine().engine, createModelRegistry(base)).handle({
    body: undefined,
    requestId: undefined,
    signal: new AbortController().signal,
  }) as Extract<Reply, { kind: 'text' }>;
  expect(reply.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  const labels = 'model_name="a \\"quoted\\" name",engine="0"';
  for (const line of [
    `vllm:num_requests_running{${labels}} 0`,
    `vllm:kv_cache_usage_perc{${labels}} 0`,
    `vllm:prompt_tokens_total{${labels}} 5`,
    `vllm:prefix_cache_queries_total{${labels}} 45`,
    `vllm:prefix_cache_hits_total{${labels}} 32`,
    `tandem:kv_cache_held_bytes{${labels}} 0`,
    `vllm:generation_tokens_total{${labels}} 7`,
    `vllm:request_success_total{${labels},finished_reason="stop"} 1`,
    `vllm:request_success_total{${labels},finished_reason="length"} 1`,
    `vllm:time_to_first_token_seconds_bucket{${labels},le="0.0025"} 0`,
    `vllm:time_to_first_token_seconds_bucket{${labels},le="0.005"} 1`,
    `vllm:time_to_first_token_seconds_bucket{${labels},le="+Inf"} 1`,
    `vllm:request_generation_tokens_sum{${labels}} 7`,
    `vllm:request_generation_tokens_count{${labels}} 2`,
    `vllm:lora_requests_info{max_lora="2",running_lora_adapters="",waiting_lora_adapters=""} 1`,
  ]) {
    expect(reply.body.split('\n')).toContain(line);
  }
});
