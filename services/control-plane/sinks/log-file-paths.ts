import { join, relative, resolve } from 'node:path';
import type { Component } from '../../contracts/record.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { fileNames } from './log-line.ts';

export interface LogFile {
  path: string;
  components: readonly Component[];
}

/**
 * Which log files a run has, and what goes into each. A path of the spec is taken from `baseDirectory`; one outside the run's tree and the
 * `roots` is refused: the default takes its place and a warning says so. Two settings that name one file share it.
 */
export function logFilePaths({
  logging,
  tree,
  baseDirectory,
  roots,
}: {
  logging: RunSpec['logging'];
  tree: string;
  baseDirectory: string;
  roots: readonly string[];
}): { files: LogFile[]; warnings: string[] } {
  const warnings: string[] = [];
  const files = new Map<string, Component[]>();
  const want = (key: keyof RunSpec['logging'], written: string | null, name: string, components: Component[]) => {
    const fallback = join(tree, 'logs', name);
    let path = written === null ? fallback : resolve(baseDirectory, written);
    if (![tree, ...roots].some((root) => isInside(path, root))) {
      warnings.push(
        `logging.${key}: ${path} is outside the run's tree and TANDEM_DATA_ROOTS; ${fallback} is written instead`,
      );
      path = fallback;
    }
    files.set(path, [...(files.get(path) ?? []), ...components]);
  };
  if (logging.log_to_file) {
    want('log_file', logging.log_file, fileNames.training, ['training', 'eval']);
    if (logging.enable_detailed_logging)
      want('detailed_log_file', logging.detailed_log_file, fileNames.rollout, ['rollout']);
    if (logging.log_performance)
      want('performance_log_file', logging.performance_log_file, fileNames.performance, ['performance']);
  }
  return { files: [...files].map(([path, components]) => ({ path, components })), warnings };
}

function isInside(path: string, root: string): boolean {
  const inner = relative(resolve(root), path);
  return inner !== '' && inner !== '..' && !inner.startsWith('../');
}
