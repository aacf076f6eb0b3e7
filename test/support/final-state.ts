import type { Tandem } from './tandem.ts';

interface Metrics {
  series: { name: string; steps: number[]; values: (number | string)[] }[];
}

/**
 * Everything of an ended run that exact resume promises (DESIGN 4.11): the bytes of the final weights, optimizer, scheduler and random
 * state, the evaluations without their times, and every metric without `perf/` and `system/`.
 */
export async function finalState(tandem: Tandem, id: string) {
  const final = (await tandem.checkpoints(id)).find((checkpoint) => checkpoint.aliases.includes('final'));
  if (!final) throw new Error(`${id} has no final checkpoint`);
  const exactFiles = /^(model\/.*\.safetensors|optimizer\.pt|scheduler\.pt|rng_state\.json)$/;
  const { series } = await tandem.get<Metrics>(`/runs/${id}/metrics?points=10000`);
  return {
    files: Object.fromEntries(
      final.files.filter(({ path }) => exactFiles.test(path)).map(({ path, sha256 }) => [path, sha256]),
    ),
    evaluations: (await tandem.evaluations(id)).map(({ eval_time: _, timestamp: __, ...statistics }) => statistics),
    metrics: Object.fromEntries(
      series
        .filter(({ name }) => !/^(perf|system)\//.test(name))
        .map(({ name, steps, values }) => [name, steps.map((step, i) => [step, values[i]])]),
    ),
  };
}
