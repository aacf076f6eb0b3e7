import type { CurvePoint } from './downsample.ts';

/** A picture as data: what it shows, not yet how. Small, whatever the log's size, so it can be handed to a thread. */
export interface Plot {
  title: string;
  /** What has to be known to read it: smoothing, gaps, scale. */
  notes: readonly string[];
  /** One above the other, on one axis of steps. */
  panels: readonly Panel[];
  marks: readonly Mark[];
}

export interface Panel {
  /** Name and unit of what is measured. */
  label: string;
  scale: 'linear' | 'log';
  curves: readonly PlotCurve[];
}

export interface PlotCurve {
  name: string;
  /** Place in the palette. */
  color: number;
  /** `raw`: as recorded, faint; `line`: smoothed, or the only one there is; `evaluations`: a marker for each, joined. */
  kind: 'raw' | 'line' | 'evaluations';
  points: readonly CurvePoint[];
}

/** A step at which something happened. */
export interface Mark {
  step: number;
  kind: 'best' | 'resume';
  label: string;
}

/**
 * The colours of Okabe and Ito (2008), told apart with any kind of colour vision, the readable ones on white first; its yellow is left out, which on
 * white is none.
 */
export const palette = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000'] as const;

/** Looks that a place can have: beyond its colours each comes once more, dashed, and beyond those they repeat. */
export const LOOKS = 2 * palette.length;

export function lookOf(place: number): { color: string; isDashed: boolean } {
  const at = place % LOOKS;
  return { color: palette[at % palette.length] ?? palette[0], isDashed: at >= palette.length };
}
