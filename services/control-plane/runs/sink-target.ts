import type { SinkTarget } from '../sinks/sink.ts';
import { logLevelsOf } from './log-levels.ts';
import type { RunStore } from './run.store.ts';
import type { RunRow } from './run-row.ts';

/** A run as the files of its tree need it; levels are those of the moment. */
export function sinkTarget(run: RunRow, runs: Pick<RunStore, 'get'>): SinkTarget {
  return {
    run: run.id,
    // An evaluation has that as its parent which it measures.
    parent: run.spec.task === 'train' ? run.parent_run : null,
    spec: run.spec,
    tree: run.tree,
    outputDir: run.output_dir,
    levels: () => logLevelsOf((runs.get(run.id) ?? run).spec),
    status: () => (runs.get(run.id) ?? run).status,
  };
}
