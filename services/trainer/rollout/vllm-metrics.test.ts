import { expect, test } from 'vitest';
import { readProgress } from './vllm-metrics.ts';

test('counts are summed over engines, and a server that is not vLLM says nothing', () => {
  const text = `# HELP vllm:generation_tokens_total Number of generation tokens processed.
vllm:num_requests_running{engine="0",model_name="a b"} 3.0
vllm:num_requests_running{engine="1",model_name="a b"} 1.0
vllm:num_requests_waiting{engine="0"} 2.0
vllm:generation_tokens_total{engine="0",model_name="a b"} 100.0
vllm:generation_tokens_total{engine="1",model_name="a b"} 1.5e+03
vllm:iteration_tokens_total_count{engine="0"} 10.0
vllm:iteration_tokens_total_bucket{engine="0",le="+Inf"} 99.0
vllm:request_success_total{finished_reason="stop"} 5.0
`;
  expect(readProgress(text)).toEqual({ work: 1615, generated: 1600, running: 4, waiting: 2 });
  expect(readProgress('process_cpu_seconds_total 5\n')).toBeNull();
  expect(readProgress('<html>')).toBeNull();
});
