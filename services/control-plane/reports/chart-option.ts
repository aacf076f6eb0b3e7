import type { EChartsOption, SeriesOption } from 'echarts';
import { significant } from './numbers.ts';
import { lookOf, type Mark, type Panel, type Plot, type PlotCurve } from './plot.ts';

/** Steps from and to. */
interface Domain {
  min: number;
  max: number;
}

export interface ChartSize {
  width: number;
  height: number;
}

const FONT = 'DejaVu Sans, Verdana, sans-serif';
const INK = '#222222';
const FAINT = '#8a8a8a';
/** Above the panels, below them without the legend, and between them, in pixels. */
const TOP = 100;
const BOTTOM = 64;
const BETWEEN = 34;
const LEFT = 84;
const WIDTH = 800;
const FIRST_PANEL = 330;
const OTHER_PANEL = 210;
const LEGEND_ROW = 24;
const RIGHT = 24;
/** More resumes than these are lines without words, which would lie over one another. */
const LABELLED_RESUMES = 6;
/** Curves of fewer points show each of them. */
const SHOWN_POINTS = 40;

/** Size of a picture: each panel adds to its height. */
export function sizeOf(plot: Plot): ChartSize {
  const others = Math.max(0, plot.panels.length - 1);
  return { width: WIDTH, height: TOP + FIRST_PANEL + others * (OTHER_PANEL + BETWEEN) + BOTTOM + legendHeight(plot) };
}

/** Legends break into rows, and nothing else makes room for them. */
function legendHeight(plot: Plot): number {
  let [rows, filled] = [1, 0];
  for (const name of namesOf(plot)) {
    const width = 30 + textWidth(name, 12) + 18;
    if (filled > 0 && filled + width > WIDTH - LEFT - RIGHT) [rows, filled] = [rows + 1, 0];
    filled += width;
  }
  return rows * LEGEND_ROW;
}

/** Width of a text in DejaVu Sans, in pixels, a little on the generous side. Nothing here can measure fonts. */
export function textWidth(text: string, fontSize: number): number {
  return text.length * fontSize * 0.62;
}

function namesOf({ panels }: Plot): string[] {
  return [...new Set(panels.flatMap(({ curves }) => curves.map(({ name }) => name)))];
}

/** What echarts draws a plot from. No animation and nothing that reacts: it becomes a picture. */
export function chartOption(plot: Plot): EChartsOption {
  const count = plot.panels.length;
  // The first panel is what the picture is called after.
  const heights = plot.panels.map((_, at) => (at === 0 ? FIRST_PANEL : OTHER_PANEL));
  const tops = heights.map((_, at) => TOP + heights.slice(0, at).reduce((sum, each) => sum + each + BETWEEN, 0));
  const domain = domainOf(plot);
  return {
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: FONT, fontSize: 13, color: INK },
    title: {
      text: plot.title,
      subtext: plot.notes.join(' · '),
      left: 16,
      top: 10,
      textStyle: { fontFamily: FONT, fontSize: 18, fontWeight: 'bold', color: INK },
      subtextStyle: { fontFamily: FONT, fontSize: 12, color: '#555555' },
    },
    legend: {
      bottom: 10,
      left: LEFT,
      right: RIGHT,
      itemGap: 18,
      textStyle: { fontFamily: FONT, fontSize: 12, color: INK },
      data: namesOf(plot),
    },
    grid: heights.map((panelHeight, at) => ({ left: LEFT, right: RIGHT, top: tops[at] ?? TOP, height: panelHeight })),
    xAxis: plot.panels.map((_, at) => ({
      type: 'value' as const,
      gridIndex: at,
      ...domain,
      name: at === count - 1 ? 'Optimizer step' : '',
      nameLocation: 'middle' as const,
      nameGap: 30,
      nameTextStyle: { fontFamily: FONT, fontSize: 13, color: INK },
      minInterval: 1,
      axisLine: { onZero: false, lineStyle: { color: FAINT } },
      axisLabel: {
        fontFamily: FONT,
        color: INK,
        fontSize: 12,
        hideOverlap: true,
        formatter: wholeNumber,
        show: at === count - 1,
      },
      splitLine: { show: false },
    })),
    yAxis: plot.panels.map(({ label, scale }, at) => ({
      type: scale === 'log' ? ('log' as const) : ('value' as const),
      gridIndex: at,
      scale: true,
      name: label,
      nameLocation: 'middle' as const,
      nameGap: 62,
      nameTextStyle: { fontFamily: FONT, fontSize: 13, color: INK },
      axisLabel: { fontFamily: FONT, color: INK, fontSize: 12, formatter: significant },
      splitLine: { lineStyle: { color: '#e6e6e6' } },
    })),
    series: plot.panels.flatMap((panel, at) => [
      ...panel.curves.map((curve) => seriesOf(curve, panel, at)),
      marksOf(plot.marks, at, domain),
    ]),
  };
}

function seriesOf({ name, color, kind, points }: PlotCurve, { scale }: Panel, panel: number): SeriesOption {
  const { color: ink, isDashed } = lookOf(color);
  const isSparse = points.length <= SHOWN_POINTS || kind === 'evaluations';
  return {
    type: 'line',
    name,
    xAxisIndex: panel,
    yAxisIndex: panel,
    // A gap is a pair without a value.
    data: points.map((point, at) => {
      const value = point === null || (scale === 'log' && point[1] <= 0) ? ['-', '-'] : [point[0], point[1]];
      const isAlone = points[at - 1] == null && points[at + 1] == null;
      return isSparse || isAlone ? { value } : { value, symbol: 'none' };
    }),
    connectNulls: false,
    symbol: kind === 'evaluations' ? 'diamond' : 'circle',
    symbolSize: kind === 'evaluations' ? (points.length > 100 ? 5 : 9) : 5,
    showSymbol: true,
    showAllSymbol: true,
    silent: true,
    itemStyle: { color: ink, opacity: kind === 'raw' ? 0.4 : 1 },
    lineStyle: {
      color: ink,
      width: kind === 'raw' ? 1 : 2.2,
      opacity: kind === 'raw' ? 0.35 : 1,
      type: isDashed ? 'dashed' : kind === 'evaluations' ? [6, 3] : 'solid',
    },
    z: kind === 'raw' ? 2 : kind === 'line' ? 3 : 4,
  };
}

/** Vertical lines at steps, named above the first panel. */
function marksOf(marks: readonly Mark[], panel: number, { min, max }: Domain): SeriesOption {
  const resumes = marks.filter(({ kind }) => kind === 'resume').length;
  return {
    type: 'line',
    xAxisIndex: panel,
    yAxisIndex: panel,
    data: [],
    silent: true,
    markLine: {
      symbol: 'none',
      animation: false,
      data: marks.map(({ step, kind, label }) => ({
        xAxis: step,
        lineStyle: {
          color: kind === 'best' ? '#000000' : FAINT,
          type: kind === 'best' ? 'solid' : 'dashed',
          width: 1.2,
        },
        label: {
          show: panel === 0 && (kind === 'best' || resumes <= LABELLED_RESUMES),
          formatter: kind === 'best' ? `★ ${label}` : label,
          position: 'end',
          // Words at an edge of the picture go inward.
          align: step > max - (max - min) / 10 ? 'right' : step < min + (max - min) / 10 ? 'left' : 'center',
          distance: kind === 'best' ? 4 : 17,
          fontFamily: FONT,
          fontSize: 11,
          color: kind === 'best' ? '#000000' : '#555555',
        },
      })),
    },
  };
}

/** The same steps in every panel; one step alone gets room on both sides. */
function domainOf({ panels, marks }: Plot): Domain {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const look = (step: number) => {
    if (step < min) min = step;
    if (step > max) max = step;
  };
  for (const { curves } of panels)
    for (const { points } of curves) for (const point of points) if (point) look(point[0]);
  for (const { step } of marks) look(step);
  if (min > max) return { min: 0, max: 1 };
  return min === max ? { min: min - 1, max: max + 1 } : { min, max };
}

function wholeNumber(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en-US') : significant(value);
}
