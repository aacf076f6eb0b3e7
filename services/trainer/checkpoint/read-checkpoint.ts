import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import {
  type Manifest,
  type TrainingMetadata,
  type TrainingState,
  trainingMetadataSchema,
  trainingStateSchema,
} from '../../contracts/checkpoint.ts';
import type { CheckpointLayout } from '../../contracts/checkpoint-layout.ts';
import type { SchedulerState } from '../optimizer/schedule.ts';
import { CheckpointError } from './checkpoint-error.ts';
import { locateCheckpoint } from './locate-checkpoint.ts';
import { readOptimizerFile, type SavedParameter } from './optimizer-file.ts';
import { readCheckpointJson } from './read-json.ts';
import { readSchedulerFile } from './scheduler-file.ts';
import { readTrainerState } from './trainer-state.ts';
import { verifyFiles } from './verify-files.ts';

/** A checkpoint that was verified and parsed; nothing of it is in use yet. */
export interface LoadedCheckpoint {
  /** The checkpoint itself, which is below the directory that was asked for when that holds several. */
  readonly directory: string;
  /** For `readWeights`. */
  readonly layout: CheckpointLayout;
  readonly tokenizerDirectory: string | null;
  /** For `restoreOptimizer`. An error: the file is sound, but of another optimizer. */
  readonly optimizer: readonly SavedParameter[] | CheckpointError | null;
  /** An error: the file is sound, but of another scheduler. */
  readonly scheduler: SchedulerState | CheckpointError | null;
  readonly rng: Readonly<Record<string, unknown>> | null;
  /** Absent keys, or all of it when there was no file, read as 0, 0.0 and null. */
  readonly trainingState: TrainingState;
  readonly trainingStateFound: boolean;
  /** Whether it is known where in the data the state stands; else the data starts at the beginning of its epoch. */
  readonly dataPositionFound: boolean;
  /** Files with a state that this trainer cannot use, each with why. */
  readonly unused: readonly string[];
  readonly trainingMetadata: TrainingMetadata | null;
  readonly policyVersion: number;
}

/**
 * Reads everything but the weights of a checkpoint, ours or a foreign one (requirement C6), after its files were verified against the
 * manifest where there is one. Files that a manifest does not list are not looked at.
 *
 * @throws CheckpointError saying which file, what was expected, and the remedy.
 */
export async function readCheckpoint(from: {
  readonly directory: string;
  readonly manifest?: Pick<Manifest, 'files' | 'policy_version'> | null;
  /** Whether its files were compared with the manifest already. */
  readonly verified?: boolean;
}): Promise<LoadedCheckpoint> {
  const manifest = from.manifest ?? null;
  if (manifest !== null && from.verified !== true) await verifyFiles(from.directory, manifest.files);
  const { directory, paths, layout } = await locateCheckpoint(
    from.directory,
    manifest?.files.map((file) => file.path),
  );
  const whenPresent = async <T>(file: string | null, read: (at: string) => Promise<T>): Promise<T | null> =>
    file === null ? null : read(path.join(directory, file));

  const ours = await whenPresent(layout.trainingState, (at) => readCheckpointJson(at, tolerantStateSchema));
  const trainingState = ours ?? (await whenPresent(layout.trainerState, readTrainerState));
  const version = await whenPresent(layout.policyVersion, readPolicyVersion);
  return {
    directory,
    layout,
    tokenizerDirectory: layout.tokenizer === null ? null : path.join(directory, layout.tokenizer),
    optimizer: await whenPresent(layout.optimizer, (at) => orMismatch(readOptimizerFile(at))),
    scheduler: await whenPresent(layout.scheduler, (at) => orMismatch(readSchedulerFile(at))),
    rng: await whenPresent(layout.rng, (at) => readCheckpointJson(at, z.record(z.string(), z.unknown()))),
    trainingState: trainingState ?? trainingStateSchema.parse({}),
    trainingStateFound: trainingState !== null,
    dataPositionFound: ours !== null || trainingState === null,
    unused: unusedStates(paths),
    trainingMetadata: await whenPresent(layout.trainingMetadata, readMetadata),
    policyVersion: version ?? manifest?.policy_version ?? trainingState?.policy_version ?? 0,
  };
}

/** A null field is one that is absent: older trainers write null where they have nothing yet. */
const tolerantStateSchema = z.preprocess(
  (fields) => Object.fromEntries(Object.entries(fields as object).filter(([, value]) => value !== null)),
  trainingStateSchema,
);

async function orMismatch<T>(reading: Promise<T>): Promise<T | CheckpointError> {
  return reading.catch((error: unknown) => {
    if (error instanceof CheckpointError && error.code === 'state_mismatch') return error;
    throw error;
  });
}

/** What other trainers save and this one has no use for; each is a pickle of Python objects, so none is even opened. */
function unusedStates(paths: readonly string[]): string[] {
  const reasons: readonly (readonly [name: RegExp, why: string])[] = [
    [/^rng_state(_\d+)?\.pth$/, 'the state of generators of Python, NumPy and torch, which this trainer does not have'],
    [/^scaler\.pt$/, 'the state of a loss scaler, which float32 needs none of'],
  ];
  return paths.flatMap((path) =>
    reasons.filter(([name]) => name.test(path)).map(([, why]) => `${path} is not used: ${why}`),
  );
}

async function readPolicyVersion(file: string): Promise<number> {
  const text = (await readFile(file, 'utf8')).slice(0, 1000).trim();
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new CheckpointError(
    'invalid_file',
    file,
    `holds ${JSON.stringify(text.slice(0, 40))}; a policy version is a whole number`,
  );
}

/** Only a view for people: what a foreign trainer wrote there decides nothing, so a surprise in it is no reason to refuse. */
async function readMetadata(file: string): Promise<TrainingMetadata | null> {
  return readCheckpointJson(file, trainingMetadataSchema).catch((error: unknown) => {
    if (error instanceof CheckpointError) return null;
    throw error;
  });
}
