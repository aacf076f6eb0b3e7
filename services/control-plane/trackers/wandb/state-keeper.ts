import { dirname } from 'node:path';
import { makeDirectory, writeFileAtomic } from '../../../platform/atomic-file.ts';
import { newSyncState, readSyncState, type SyncState, type WandbRun } from './sync-state.ts';

/** The sync state of one run: in memory what lies in its file. */
export interface StateKeeper {
  load(): Promise<SyncState>;
  save(next: SyncState): Promise<void>;
  /** For looking at, without keeping it. */
  peek(): Promise<SyncState>;
}

export function keepState({ path, run, mode }: { path: string; run: string; mode: SyncState['mode'] }): StateKeeper {
  let state: SyncState | null = null;
  const read = async () => ({ ...((await readSyncState(path, run)) ?? newSyncState(run, mode)), mode });
  return {
    load: async () => {
      state ??= await read();
      return state;
    },
    peek: async () => state ?? (await read()),
    save: async (next) => {
      await makeDirectory(dirname(path));
      await writeFileAtomic(path, `${toJson(next)}\n`);
      state = next;
    },
  };
}

/** Changes the W&B run that is being written. */
export function changeRun(from: SyncState, change: Partial<WandbRun>): SyncState {
  const last = from.wandb_runs.at(-1);
  return last === undefined ? from : { ...from, wandb_runs: from.wandb_runs.with(-1, { ...last, ...change }) };
}

/** Summaries may hold what JSON has not. */
function toJson(value: unknown): string {
  const words = (_key: string, each: unknown) =>
    typeof each === 'number' && !Number.isFinite(each) ? String(each) : each;
  return JSON.stringify(value, words, 1);
}
