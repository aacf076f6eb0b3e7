/** What a server says of its work, summed over its engines. */
export interface ServerProgress {
  /** Counts on with everything it does: another value means that it has done something. */
  readonly work: number;
  /** Tokens drawn since it was started. */
  readonly generated: number;
  /** Requests that it computes, and that wait to be. */
  readonly running: number;
  readonly waiting: number;
}

const WORK = [
  'generation_tokens_total',
  'prompt_tokens_total',
  'iteration_tokens_total_count',
  'request_success_total',
];

/** Reads `GET /metrics`, text of Prometheus. Null where the names are not vLLM's: then nothing is known. */
export function readProgress(text: string): ServerProgress | null {
  const sums = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^vllm:(\w+)(?:\{.*\})? (\S+)/.exec(line) ?? [];
    const number = Number(value);
    if (name !== undefined && Number.isFinite(number)) sums.set(name, (sums.get(name) ?? 0) + number);
  }
  const generated = sums.get('generation_tokens_total');
  const running = sums.get('num_requests_running');
  if (generated === undefined || running === undefined) return null;
  const work = WORK.reduce((sum, name) => sum + (sums.get(name) ?? 0), 0);
  return { work, generated, running, waiting: sums.get('num_requests_waiting') ?? 0 };
}
