import { join, relative } from 'node:path';
import { type PathPolicy, PathRefusedError } from '../../runs/path-policy.ts';
import type { SinkTarget } from '../../sinks/sink.ts';

/**
 * Where the event files of a run lie: `monitoring.tensorboard_log_dir`, or `<tree>/tensorboard`. A directory that may not be written to is
 * refused: the default takes its place, and `warning` says so.
 */
export async function logDirectory(
  { spec, tree }: Pick<SinkTarget, 'spec' | 'tree'>,
  paths: Pick<PathPolicy, 'absolute' | 'writable'>,
): Promise<{ directory: string; warning: string | null }> {
  const fallback = join(tree, 'tensorboard');
  const written = spec.monitoring.tensorboard_log_dir;
  if (written === null) return { directory: fallback, warning: null };
  try {
    const path = paths.absolute(written);
    const inTree = relative(tree, path);
    const isInTree = inTree !== '' && inTree !== '..' && !inTree.startsWith('../');
    return { directory: isInTree ? path : await paths.writable(written), warning: null };
  } catch (error) {
    if (!(error instanceof PathRefusedError)) throw error;
    const warning = `monitoring.tensorboard_log_dir: ${error.message}; ${fallback} is written instead`;
    return { directory: fallback, warning };
  }
}
