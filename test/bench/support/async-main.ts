import { parseArgs } from 'node:util';
import { TASKS, withRuns } from './async-work.ts';
import { table } from './bench.ts';

/**
 * One run of the async bench, step by step, for looking at where its time goes: `async-main.js [--staleness 1] [--learned 6] [--updates 1] [--steps 8]`. All in seconds but staleness:
 * `rollouts` is what the trainer waited for, `idle` for how long none was in flight.
 */
const { values } = parseArgs({
  options: {
    staleness: { type: 'string', default: '0' },
    learned: { type: 'string', default: String(TASKS) },
    updates: { type: 'string', default: '1' },
    steps: { type: 'string', default: '8' },
  },
});
const [staleness, learned, updates, steps] = [values.staleness, values.learned, values.updates, values.steps].map(
  Number,
) as [number, number, number, number];
const run = await withRuns((measure) => measure({ staleness, learned, updates, steps }));
const names = ['all', 'rollouts', 'publishing', 'training', 'idle'] as const;
const rows = [...run.steps.entries(), ['median', run.median] as const].map(([at, step]) => [
  typeof at === 'number' ? String(at + 1) : at,
  ...names.map((name) => step[name]),
]);
console.log(table([['step', ...names], ...rows]));
console.log(`${run.seconds.toFixed(2)} s, stalest ${run.stalest}, dropped ${run.dropped}`);
