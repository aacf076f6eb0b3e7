import { mkdir, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { z } from 'zod';
import { runIdSchema } from '../../contracts/run.ts';
import { removeTemporaries, writeFileAtomic } from '../../platform/atomic-file.ts';
import { ProblemError } from '../api/problem-error.ts';
import { STAGING } from '../sinks/output-tree.sink.ts';
import { MLFLOW_STATE_FILE } from '../trackers/mlflow/mlflow-state.ts';

const MARKER = '.tandem-run.json';
/** What Tandem writes into a run's tree (requirement L10); nothing else is ever removed from it. */
const OWN_ENTRIES = [
  'checkpoints',
  'best_model',
  'final',
  'logs',
  'tensorboard',
  MLFLOW_STATE_FILE,
  'training_log.json',
  'eval_logs',
  'baseline_eval.json',
  STAGING,
  MARKER,
];

const markerSchema = z.looseObject({ run: runIdSchema, installation: z.string() });
export type TreeMarker = z.infer<typeof markerSchema>;

/** What lies in the directory that a run wants as its tree. */
export type TreeState =
  | { kind: 'empty' }
  | { kind: 'owned'; marker: TreeMarker; onlyMarker: boolean }
  | { kind: 'foreign'; entries: number };

export interface OutputTrees {
  inspect(tree: string): Promise<TreeState>;
  /** Makes the directory the tree of the run, by a marker file in it. Throws conflict when it is another's. */
  claim(tree: string, run: string): Promise<void>;
  /** Moves a tree to `<tree>.<run>`, and says where it is now; one that was moved already stays there. */
  moveAside(tree: string, run: string): Promise<string>;
  /** The run whose tree a path lies in, and which checkpoint the path means; null for a path in no run's tree. */
  locate(path: string): Promise<{ marker: TreeMarker; checkpoint: string } | null>;
  /** Removes what Tandem wrote, and the directory when nothing else is in it. */
  remove(tree: string, run: string): Promise<void>;
}

export function createOutputTrees({ installation }: { installation: string }): OutputTrees {
  const inspect = async (tree: string): Promise<TreeState> => {
    const entries = await listEntries(tree);
    if (entries.length === 0) return { kind: 'empty' };
    const marker = await readMarker(tree);
    return marker === null
      ? { kind: 'foreign', entries: entries.length }
      : { kind: 'owned', marker, onlyMarker: entries.length === 1 };
  };

  return {
    inspect,
    claim: async (tree, run) => {
      const state = await inspect(tree);
      if (state.kind === 'owned' && state.marker.run === run) return;
      const abandoned = state.kind === 'owned' && state.onlyMarker && state.marker.installation === installation;
      if (state.kind !== 'empty' && !abandoned) {
        throw new ProblemError('conflict', `${tree} is in use by something else; choose another training.output_dir.`);
      }
      await mkdir(tree, { recursive: true });
      await writeFileAtomic(join(tree, MARKER), `${JSON.stringify({ run, installation }, null, 2)}\n`);
    },
    moveAside: async (tree, run) => {
      const aside = `${tree}.${run}`;
      const moved = (await listEntries(aside)).length > 0;
      const present = (await listEntries(tree)).length > 0;
      if (moved && present) {
        throw new ProblemError(
          'conflict',
          `${tree} cannot be moved to ${aside}, which exists; move one of the two away.`,
        );
      }
      if (present) await rename(tree, aside);
      return aside;
    },
    locate: async (path) => {
      for (let at = path; ; at = dirname(at)) {
        const marker = await readMarker(at);
        if (marker !== null) {
          const checkpoint = checkpointOf(relative(at, path));
          return checkpoint === null ? null : { marker, checkpoint };
        }
        if (dirname(at) === at) return null;
      }
    },
    remove: async (tree, run) => {
      if ((await readMarker(tree))?.run !== run) return;
      for (const entry of OWN_ENTRIES) await rm(join(tree, entry), { recursive: true, force: true });
      await removeTemporaries(tree);
      await rmdir(tree).catch(() => undefined);
    },
  };
}

/** Which checkpoint a path inside a tree means. */
function checkpointOf(path: string): string | null {
  if (path === '') return 'latest';
  const [first, second, ...rest] = path.split(sep);
  if (first === 'checkpoints' && rest.length === 0) {
    if (second === undefined) return 'latest';
    return /^checkpoint-\d+$/.test(second) ? second : null;
  }
  if (second !== undefined) return null;
  if (first === 'best_model') return 'best';
  return first === 'final' ? 'final' : null;
}

async function readMarker(tree: string): Promise<TreeMarker | null> {
  try {
    return markerSchema.parse(JSON.parse(await readFile(join(tree, MARKER), 'utf8')));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new ProblemError(
      'conflict',
      `${basename(tree)}/${MARKER} cannot be read, so nobody knows whose tree it is; restore or remove that file.`,
      { cause: error },
    );
  }
}

async function listEntries(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).filter((entry) => !entry.startsWith('.tmp-'));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return [];
    if (code === 'ENOTDIR')
      throw new ProblemError('conflict', `${path} is a file; choose another training.output_dir.`);
    throw error;
  }
}
