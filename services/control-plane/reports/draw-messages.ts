import type { Plot } from './plot.ts';

/** What a drawing thread is asked, one after the other, and what it answers. */
export interface DrawRequest {
  id: number;
  plots: readonly Plot[];
  format: 'svg' | 'png';
}

export type DrawReply = { id: number; pictures: readonly (string | Uint8Array)[] } | { id: number; failure: string };
