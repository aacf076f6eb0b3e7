import type { ComparedRun } from './comparison.ts';
import { downsample } from './downsample.ts';
import { measures, type Trace } from './measures.ts';
import type { Plot, PlotCurve } from './plot.ts';
import { scaleOf, shortTitle } from './run-plots.ts';
import { smooth, smoothingSpan } from './smooth.ts';

/** Points of a curve: several lie in one picture. */
const MAX_POINTS = 600;

/** A curve of one run, and what is needed to put it beside those of others. */
export interface ComparedCurve {
  trace: Trace;
  curve: PlotCurve;
}

/** The curves of a run, thinned out: training smoothed, validation with markers. Takes some 0.1 s for 100,000 entries. @param color of the run, its place among the runs */
export function comparedCurves({ title, log }: ComparedRun, color: number): ComparedCurve[] {
  return log.traces.map((trace) => ({ trace, curve: curveOf(trace, { name: shortTitle(title), color }) }));
}

/** A picture for each measure that a run has, each run in a colour of its own. */
export function comparisonPlots(curves: readonly ComparedCurve[]): Plot[] {
  // Losses of different methods have different units, so they are different measures.
  const names = [...new Set(curves.map(({ trace }) => nameOf(trace)))];
  return names.map((name): Plot => {
    const here = curves.filter(({ trace }) => nameOf(trace) === name);
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
        curves: each.map(({ curve }) => curve),
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
