import type { CheckedSpec } from './check-spec.ts';
import type { RunRow, StartFrom } from './run-row.ts';

/** What a submission will do. */
export interface SubmissionPlan extends CheckedSpec {
  id: string;
  tree: string;
  output_dir: string;
  start: StartPoint;
  /** The run that has the tree: it is continued, or moved aside for the new one. */
  occupant: { run: RunRow; action: 'continue' | 'move_aside' } | { run: null; marker: string } | null;
}

/** Where a run starts, with the checkpoint that makes it a child of another run. */
export interface StartPoint {
  from: StartFrom;
  parent: { run: string; attempt: number; step: number } | null;
}
