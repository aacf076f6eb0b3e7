import type { Gpu } from '../../contracts/gpu.ts';
import type { TimedReading } from '../gpus/gpu.service.ts';
import { findDirt } from './clean-gpu.ts';
import type { LeaseOwner, LeaseRow } from './lease.store.ts';
import { COOL_DOWN_MS, isMeant, tellSuspicion } from './suspicion.ts';

/** How long the driver may take to give a program's memory back after its end, in milliseconds; a GPU is not called dirty before. */
export const SETTLE_MS = 10_000;

export interface LeaseFacts {
  leases: readonly LeaseRow[];
  /** Since when every program of an owner is known to be gone, by the steady clock; null while one may be there. */
  goneSince: (owner: LeaseOwner) => number | null;
  reading: Pick<TimedReading, 'begunAt' | 'gpus'> | null;
  /** On the steady clock, in milliseconds, as all times here. */
  now: number;
}

/** What is to be done with leases of one owner. */
export type LeaseChange =
  | { change: 'release'; owner: LeaseOwner; gpus: { gpu: string; index: number }[] }
  | {
      change: 'mark';
      owner: LeaseOwner;
      gpu: string;
      index: number | null;
      state: LeaseRow['state'];
      note: string | null;
    };

/**
 * What becomes of each lease. It is released when all programs of its attempt are gone and a reading that began after that says that the GPU is clean; a GPU
 * that is not clean in the end is quarantined, and looked at again with each reading; one that a program called broken at once. Of a GPU in use only its trouble is noted. `waitsForReading`: a reading
 * that begins now would decide something.
 */
export function judgeLeases({ leases, goneSince, reading, now }: LeaseFacts): {
  changes: LeaseChange[];
  waitsForReading: boolean;
} {
  const changes: LeaseChange[] = [];
  const released = new Map<string, Extract<LeaseChange, { change: 'release' }>>();
  let waitsForReading = false;

  for (const lease of leases) {
    const { gpu: uuid, run, attempt, epoch, state, note } = lease;
    const owner = { run, attempt, epoch };
    const gpu = reading?.gpus.find((each) => each.uuid === uuid);
    const mark = (to: LeaseRow['state'], why: string | null) => {
      if (state === to && note === why) return;
      changes.push({ change: 'mark', owner, gpu: uuid, index: gpu?.index ?? null, state: to, note: why });
    };
    const gone = goneSince(owner);
    if (gone === null) {
      if (state === 'held' && reading !== null) mark('held', findTrouble(gpu));
      continue;
    }
    if (reading === null || reading.begunAt < gone) {
      waitsForReading = true;
      continue;
    }
    const dirt = findDirt(gpu);
    const doubt = gpu === undefined ? null : findDoubt(lease, gpu, reading.gpus, now - gone);
    if (dirt === null && doubt === null && gpu !== undefined) {
      const key = `${run} ${epoch}`;
      const release = released.get(key) ?? { change: 'release', owner, gpus: [] };
      released.set(key, release);
      release.gpus.push({ gpu: uuid, index: gpu.index });
    } else if (state === 'held' && now - gone < SETTLE_MS && doubt === null) {
      waitsForReading = true;
    } else {
      mark('quarantined', [dirt, doubt].filter((why) => why !== null).join('; '));
    }
  }
  return { changes: [...released.values(), ...changes], waitsForReading };
}

/** Why a GPU that a program called broken is not given out yet, although it is clean; null where no doubt is left. */
function findDoubt({ suspicion }: LeaseRow, gpu: Gpu, all: readonly Gpu[], goneMs: number): string | null {
  if (suspicion === null || !isMeant(suspicion, gpu, all)) return null;
  const trouble = findTrouble(gpu);
  if (trouble === null && goneMs >= COOL_DOWN_MS) return null;
  return [...(trouble === null ? [] : [trouble]), tellSuspicion(suspicion, gpu.uuid)].join(' ');
}

/** What is wrong with a GPU that is in use; null where it works. */
function findTrouble(gpu: Gpu | undefined): string | null {
  if (gpu === undefined) return 'it is no longer listed';
  if (gpu.health.verdict !== 'unusable') return null;
  return gpu.health.findings.map(({ why, remedy }) => `${why} ${remedy}`).join(' ');
}
