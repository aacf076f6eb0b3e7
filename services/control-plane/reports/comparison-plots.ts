import type { ComparedRun } from './comparison.ts';
import { downsample } from './downsample.ts';
import { measures, type Trace, tracesOf } from './measures.ts';
import type { Plot, PlotCurve } from './plot.ts';
import { scaleOf, shortTitle } from './run-plots.ts';
import { smooth, smoothingSpan } from './smooth.ts';

/** Points of a curve: several lie in one picture. */
const MAX_POINTS = 600;

/** A picture for each measure that two runs or more have, each run in a colour of its own: training smoothed, validation with markers. */
export function comparisonPlots(runs: readonly ComparedRun[]): Plot[] {
  const all = runs.flatMap(({ title, log }, color) => tracesOf(log).map((trace) => ({ title, color, trace })));
  // Losses of different methods have different units, so they are different measures.
  const names = [...new Set(all.map(({ trace }) => nameOf(trace)))];
  return names.map((name): Plot => {
    const here = all.filter(({ trace }) => nameOf(trace) === name);
    const histories = (['train', 'validation'] as const)
      .map((history) => here.filter(({ trace }) => trace.history === history))
      .filter((each) => each.length > 0);
    return {
      title: name,
      notes: here.some(({ trace }) => trace.history === 'train' && trace.measure.name !== 'lr')
        ? ['training smoothed']
        : [],
      panels: histories.map((each) => ({
        label: each[0]?.trace.history ?? '',
        scale: scaleOf(each.map(({ trace }) => trace)),
        curves: each.map(({ title, color, trace }) => curveOf(trace, { name: shortTitle(title), color })),
      })),
      marks: [],
    };
  });
}

/** By name and unit; where several measures share those words, its own name is added. */
function nameOf({ measure: { name, label } }: Trace): string {
  const isShared = Object.values(measures).some((all) => all.filter((each) => each.label === label).length > 1);
  return isShared ? `${label}: ${name}` : label;
}

function curveOf({ history, measure, steps, values }: Trace, look: Pick<PlotCurve, 'name' | 'color'>): PlotCurve {
  if (history === 'validation') return { ...look, kind: 'evaluations', points: downsample(steps, values, MAX_POINTS) };
  const span = measure.name === 'lr' ? null : smoothingSpan(values.length);
  const line = span === null ? values : smooth(values, span);
  return { ...look, kind: 'line', points: downsample(steps, line, MAX_POINTS) };
}
