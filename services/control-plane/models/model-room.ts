import { dirname } from 'node:path';
import type { Logger } from '../../platform/logger.ts';
import { createSlots } from '../../platform/transfer/slots.ts';
import { type CachedModel, chooseRemovals } from './choose-removals.ts';
import type { ModelCache } from './model-cache.ts';
import { ModelFetchError } from './model-fetch-error.ts';
import { describeOrigin, inBytes, type ModelListing, sumOf } from './model-files.ts';

/** Left free beside a model, for the runs that use it. */
const SPARE_BYTES = 64 * 2 ** 20;
/** Models that a message names; the rest is counted. */
const NAMED = 5;

/** What runs say of a directory that is the model of some. */
export interface ModelUse {
  directory: string;
  /** Whether one of them has not ended. */
  isNeeded: boolean;
  /** When the last of them was submitted or has ended, in milliseconds since the epoch. */
  usedAt: number;
}

export interface ModelRoomOptions {
  cache: Pick<ModelCache, 'directoryOf' | 'space' | 'models' | 'remove'>;
  uses: () => readonly ModelUse[];
  /** Whether a model is being fetched, or waits for that. */
  isFetched: (directory: string) => boolean;
  /** What all models may take together, in bytes; null: nothing is removed. */
  maxBytes: number | null;
  log: Logger;
}

/** Room for models that are fetched. */
export interface ModelRoom {
  /** Throws disk_full where a model cannot fit, with the figures and with what could go. Changes nothing. */
  check(listing: ModelListing): Promise<void>;
  /**
   * Makes room for a model under the bound and on the disk, by removing what no run needs that has not ended; says in words what was removed, null for nothing.
   * What is needed stays, also where that is more than the bound. Throws disk_full, and then has removed nothing.
   */
  make(listing: ModelListing): Promise<{ message: string; removed: readonly CachedModel[] } | null>;
}

export function createModelRoom({ cache, uses, isFetched, maxBytes, log }: ModelRoomOptions): ModelRoom {
  const alone = createSlots(1);

  const look = async (listing: ModelListing) => {
    const directory = cache.directoryOf(listing.origin);
    const [models, { needed, free }] = await Promise.all([cache.models(), cache.space(directory, listing.files)]);
    const used = new Map(uses().map((use) => [use.directory, use]));
    const isRemovable = (model: CachedModel) =>
      model.bytes > 0 &&
      model.directory !== directory &&
      !isFetched(model.directory) &&
      used.get(model.directory)?.isNeeded !== true;
    const removable = models
      .filter(isRemovable)
      .map((model) => ({ ...model, usedAt: Math.max(model.usedAt, used.get(model.directory)?.usedAt ?? 0) }));
    const missing = needed === 0 ? 0 : Math.max(0, needed + SPARE_BYTES - free);
    // What others are about to write counts as written; of this one its half may be here.
    const isOther = (model: CachedModel) => model.directory !== directory && isFetched(model.directory);
    const total = sumOf(models.map((each) => (isOther(each) ? { bytes: each.whole } : each))) + needed;
    const isEnough = missing === 0 || (maxBytes !== null && missing <= sumOf(removable));
    if (!isEnough) throw diskFull(listing, { directory, needed, free, missing, removable, maxBytes });
    return { removable, missing, total };
  };

  return {
    check: async (listing) => void (await look(listing)),
    make: (listing) =>
      alone(async () => {
        const { removable, missing, total } = await look(listing);
        if (maxBytes === null) return null;
        const removed = chooseRemovals(removable, Math.max(missing, total - maxBytes));
        for (const { directory } of removed) await cache.remove(directory);
        const left = total - sumOf(removed);
        if (left > maxBytes)
          log.warn(`Fetched models take ${inBytes(left)}, more than TANDEM_MODELS_MAX_GB: runs need all of them.`);
        if (removed.length === 0) return null;
        const message = `Removed to make room for ${describeOrigin(listing.origin)}, since no run needs them: ${named(removed)}`;
        log.info(message);
        return { message, removed };
      }),
  };
}

function diskFull(
  { origin }: ModelListing,
  found: {
    directory: string;
    needed: number;
    free: number;
    missing: number;
    removable: readonly CachedModel[];
    maxBytes: number | null;
  },
): ModelFetchError {
  const { directory, needed, free, missing, removable, maxBytes } = found;
  const what = `${describeOrigin(origin)} needs ${inBytes(needed)} more in ${dirname(directory)}, where ${inBytes(free)} are free`;
  const how = maxBytes === null ? 'delete their directories, or set TANDEM_MODELS_MAX_GB' : 'which is not enough';
  const could = removable.length === 0 ? '' : `. No run needs ${named(chooseRemovals(removable, missing))}: ${how}`;
  const message = `${what}; free ${inBytes(missing)} there, or set TANDEM_HOME to a larger disk${could}`;
  return new ModelFetchError('disk_full', message);
}

function named(models: readonly CachedModel[]): string {
  const shown = models.slice(0, NAMED).map(({ label, bytes }) => `${label} (${inBytes(bytes)})`);
  const more = models.length > NAMED ? ` and ${models.length - NAMED} more` : '';
  return `${shown.join(', ')}${more}`;
}
