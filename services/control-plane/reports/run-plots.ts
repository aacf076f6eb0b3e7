import { type PlotName, plotNames } from '../../contracts/plot-names.ts';
import { cleanText } from '../sinks/render-line.ts';
import { downsample } from './downsample.ts';
import type { MeasuredLog, Trace } from './measures.ts';
import type { Mark, Panel, Plot, PlotCurve } from './plot.ts';
import { smooth, smoothingSpan } from './smooth.ts';
import { numberOf, type TrainingLog } from './training-log.ts';

/** An attempt that went on from a step. */
export interface Resume {
  attempt: number;
  step: number;
}

export interface RunPlotOptions {
  /** Name of the run, for titles. */
  title: string;
  /** A log file has none; the records of a run do. */
  resumes: readonly Resume[];
}

/** Points that a curve is drawn with: more than a picture has columns. */
const MAX_POINTS = 1500;
/** A span of values beyond which a scale of powers of ten shows more. */
const LOG_FROM = { lr: 20, other: 1000 } as const;
/** Longest text of a title. */
const MAX_TITLE = 80;

/** Which measures a picture shows, a panel for each list. */
const shown: Readonly<Record<PlotName, { title: string; panels: readonly (readonly string[])[] }>> = {
  loss_curve: { title: 'Loss', panels: [['loss']] },
  reward_curve: {
    title: 'Reward',
    panels: [['reward'], ['format', 'bbox', 'category', 'completeness'], ['accuracy'], ['reward_margin']],
  },
  kl_curve: { title: 'KL divergence', panels: [['kl']] },
  lr_curve: { title: 'Learning rate', panels: [['lr']] },
};

/** The pictures that a log has the numbers for, by name; one that has none is absent. */
export function runPlots(log: MeasuredLog, options: RunPlotOptions): Partial<Record<PlotName, Plot>> {
  const marks = marksOf(log, options.resumes);
  const plots = plotNames.map(
    (name) => [name, plotOf(name, { traces: log.traces, marks, title: options.title })] as const,
  );
  return Object.fromEntries(plots.filter(([, plot]) => plot.panels.length > 0));
}

function plotOf(
  name: PlotName,
  { traces, marks, title }: { traces: readonly Trace[]; marks: Mark[]; title: string },
): Plot {
  const groups = shown[name].panels.map((names) => traces.filter(({ measure }) => names.includes(measure.name)));
  const present = groups.filter((group) => group.length > 0);
  return {
    title: title === '' ? shown[name].title : `${shown[name].title} · ${shortTitle(title)}`,
    notes: notesOf(present.flat()),
    panels: present.map(panelOf),
    marks,
  };
}

/** One line that fits above a picture, without what no picture can show. */
export function shortTitle(title: string): string {
  const clean = cleanText(title.replaceAll(/[\r\n]+/g, ' '));
  return clean.length > MAX_TITLE ? `${clean.slice(0, MAX_TITLE - 1)}…` : clean;
}

/** Training and validation have a colour each; where a panel has several measures each has its own, none of them of those two. */
function panelOf(traces: readonly Trace[]): Panel {
  const names = [...new Set(traces.map(({ measure }) => measure.name))];
  const curves = traces.flatMap((trace) => {
    const alone = trace.history === 'train' ? 0 : 1;
    return curvesOf(trace, names.length === 1 ? alone : 2 + names.indexOf(trace.measure.name));
  });
  return { label: traces[0]?.measure.label ?? '', scale: scaleOf(traces), curves };
}

function curvesOf({ history, key, steps, values }: Trace, color: number): PlotCurve[] {
  if (history === 'validation')
    return [{ name: `${key} (validation)`, color, kind: 'evaluations', points: downsample(steps, values, MAX_POINTS) }];
  const raw = downsample(steps, values, MAX_POINTS);
  const span = isSmoothed(key) ? smoothingSpan(values.length) : null;
  if (span === null) return [{ name: `${key} (train)`, color, kind: 'line', points: raw }];
  return [
    { name: `${key} (train, raw)`, color, kind: 'raw', points: raw },
    {
      name: `${key} (train, smoothed)`,
      color,
      kind: 'line',
      points: downsample(steps, smooth(values, span), MAX_POINTS),
    },
  ];
}

/** A learning rate is set, not measured: it has no noise. */
function isSmoothed(key: string): boolean {
  return key !== 'lr' && key !== 'learning_rate';
}

export function scaleOf(traces: readonly Trace[]): Panel['scale'] {
  const low = Math.min(...traces.map(({ statistics: { min } }) => min ?? Number.POSITIVE_INFINITY));
  const high = Math.max(...traces.map(({ statistics: { max } }) => max ?? Number.NEGATIVE_INFINITY));
  const from = traces[0]?.measure.name === 'lr' ? LOG_FROM.lr : LOG_FROM.other;
  return low > 0 && high / low >= from ? 'log' : 'linear';
}

function notesOf(traces: readonly Trace[]): string[] {
  const train = traces.find(({ history }) => history === 'train');
  const span = train && isSmoothed(train.key) ? smoothingSpan(train.values.length) : null;
  const gaps = traces.reduce((sum, { statistics: { not_finite: count } }) => sum + count, 0);
  return [
    ...(span === null ? [] : [`smoothed: moving average of about ${span} entries`]),
    ...(gaps === 0 ? [] : [`${gaps} ${gaps === 1 ? 'value is' : 'values are'} missing or not finite: a gap`]),
  ];
}

function marksOf(log: TrainingLog, resumes: readonly Resume[]): Mark[] {
  const best = bestStep(log);
  return [
    ...resumes.map(({ attempt, step }): Mark => ({ step, kind: 'resume', label: `resumed (a${attempt})` })),
    ...(best === null ? [] : [{ step: best, kind: 'best', label: `best (step ${best})` } satisfies Mark]),
  ];
}

/** Step of the best checkpoint. SFT's log has only its metric: the step is the evaluation that measured it. */
export function bestStep({ best, validation }: TrainingLog): number | null {
  if (best === null) return null;
  const step = numberOf(best['step']);
  if (Number.isFinite(step)) return step;
  const metric = numberOf(best['best_metric']);
  const row = validation.find(({ eval_loss: loss }) => Number.isFinite(metric) && loss === metric);
  return typeof row?.['step'] === 'number' ? row['step'] : null;
}
