import { MANIFEST_FILE } from '../../contracts/checkpoint.ts';

/** Lies beside the manifest of a checkpoint that a user has pinned, and goes with it. */
export const PIN_FILE = 'pinned.json';

/** Which checkpoint: one attempt saves at most one for each step. */
export interface CheckpointId {
  run: string;
  attempt: number;
  step: number;
}

/** `runs/<run>/checkpoints/` */
export function runPrefix(run: string): string {
  return `runs/${run}/checkpoints/`;
}

/** `runs/<run>/checkpoints/a<attempt>/checkpoint-<step>/` */
export function checkpointPrefix({ run, attempt, step }: CheckpointId): string {
  return `${runPrefix(run)}a${attempt}/checkpoint-${step}/`;
}

/** Where people find the files of a checkpoint: in the bucket, or on this machine. */
export function locateCheckpoint(
  id: CheckpointId,
  { s3, home }: { s3: { bucket: string; prefix: string } | null; home: string },
): string {
  const place = s3 === null ? `${home}/objects/` : `s3://${s3.bucket}/${s3.prefix.replace(/\/*$/, s3.prefix && '/')}`;
  return place + checkpointPrefix(id);
}

export function manifestKey(id: CheckpointId): string {
  return checkpointPrefix(id) + MANIFEST_FILE;
}

export function pinKey(id: CheckpointId): string {
  return checkpointPrefix(id) + PIN_FILE;
}

/** `<run>/a<attempt>/checkpoint-<step>`, for people and for `resumed_from`. */
export function checkpointLabel({ run, attempt, step }: CheckpointId): string {
  return `${run}/a${attempt}/checkpoint-${step}`;
}

/** The checkpoint an object belongs to, or null for a key of another kind. */
export function checkpointOfKey(key: string): CheckpointId | null {
  const match = /^runs\/(run-[a-z0-9]{8})\/checkpoints\/a(\d{1,9})\/checkpoint-(\d{1,15})\//.exec(key);
  return match === null ? null : { run: match[1] as string, attempt: Number(match[2]), step: Number(match[3]) };
}

export function isSameCheckpoint(a: CheckpointId, b: CheckpointId): boolean {
  return a.run === b.run && a.attempt === b.attempt && a.step === b.step;
}
