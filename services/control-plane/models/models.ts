import type { ModelOrigin } from '../../contracts/model-origin.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { backoffMs, pause } from '../../platform/retry.ts';
import { createSlots } from '../../platform/transfer/slots.ts';
import type { CachedModel } from './choose-removals.ts';
import { fetchModel } from './fetch-model.ts';
import type { RetryLimits } from './fetch-model-file.ts';
import { countProgress, type FetchProgress, showProgress } from './fetch-progress.ts';
import { createHubClient } from './hub-client.ts';
import type { HubAccess } from './hub-request.ts';
import { createModelCache } from './model-cache.ts';
import { ModelFetchError } from './model-fetch-error.ts';
import { describeOrigin, inBytes, type ModelBytes, type ModelListing, sumOf, totalBytes } from './model-files.ts';
import { createModelRoom, type ModelUse } from './model-room.ts';
import { checkModelPrefix, listStoreModel, storeBytes } from './store-models.ts';

/** A hub or a store that does not answer a submission for so long is not waited for, in milliseconds. */
const LOOK_UP_MS = 20_000;
/** Models that are fetched at a time; those that wait for their next try do not count. */
const AT_ONCE = 4;
/** How long a fetch is tried on without getting further, in milliseconds: a hub is away for minutes, not for hours, and a full disk is noticed. */
const GIVE_UP_MS = 3_600_000;
const RETRY = { baseMs: 2000, maxMs: 60_000 };
/** Progress is told at each tenth, and not more often than this, in milliseconds. */
const TELL_MS = 5000;

/** A model that a name means. */
export interface FoundModel {
  listing: ModelListing;
  directory: string;
  isComplete: boolean;
  /** What is to be told to who asked for it; null: nothing. */
  warning: string | null;
}

/** Something that happened to a fetch, in words and numbers. */
export interface FetchNews {
  name: 'model_fetching' | 'model_fetched' | 'model_removed' | 'warning';
  message: string;
  data: Record<string, unknown>;
}

/** A fetch under way: how far it is, once it has begun, and why its last try has failed. */
interface Fetching {
  progress: { read: () => FetchProgress } | null;
  failure: string | null;
}

export interface ModelsOptions {
  /** Of the cache. */
  root: string;
  hub: HubAccess;
  store: ObjectStore;
  /** What all models in the cache may take, in bytes; null: no bound, and nothing is removed. */
  maxBytes: number | null;
  /** What runs have as their models. */
  uses: () => readonly ModelUse[];
  /** Counts on when the clock of the machine is set. */
  steady: () => number;
  log: Logger;
  retry?: RetryLimits;
}

export interface Models {
  /** A model of the hub at a revision. Throws ModelFetchError. */
  findOnHub(repo: string, revision: string, signal: AbortSignal): Promise<FoundModel>;
  /** A model in the object store. Throws ModelFetchError. */
  findInStore(prefix: string, signal: AbortSignal): Promise<FoundModel>;
  /** A model that a run was made with, as far as it is known here or at its origin. Throws ModelFetchError. */
  recall(directory: string, origin: ModelOrigin, signal: AbortSignal): Promise<FoundModel>;
  /** To be called before a run waits for a model: a fetch goes by what is kept, whatever its origin says by then. */
  keep(found: FoundModel): Promise<void>;
  isComplete(directory: string): Promise<boolean>;
  /** Fetches until the model is there. What passes is waited for. Throws ModelFetchError, or the signal's reason. */
  fetch(
    directory: string,
    origin: ModelOrigin,
    options: { signal: AbortSignal; tell: (news: FetchNews) => void },
  ): Promise<void>;
  /** To be called once at the start: removes what a removal that was cut off has left. */
  sweep(): Promise<void>;
  /** How far the fetch of a model is, as the beginning of a clause. */
  describe(directory: string, origin: ModelOrigin): string;
}

/** Models from elsewhere: what they are before they are there, and how they get here. */
export function createModels(options: ModelsOptions): Models {
  const { root, store, steady, log } = options;
  const cache = createModelCache(root);
  const hub = createHubClient(options.hub);
  const underWay = new Map<string, Fetching>();
  const slots = createSlots(AT_ONCE);
  const { maxBytes, uses } = options;
  const room = createModelRoom({ cache, uses, isFetched: (directory) => underWay.has(directory), maxBytes, log });

  const found = async (listing: ModelListing, warning: string | null = null): Promise<FoundModel> => {
    const directory = cache.directoryOf(listing.origin);
    const isComplete = await cache.isComplete(directory);
    if (!isComplete) await room.check(listing);
    return { listing, directory, isComplete, warning };
  };

  const lookUp = (origin: ModelOrigin, signal: AbortSignal): Promise<ModelListing> =>
    origin.kind === 'hub' ? hub.lookUp(origin.repo, origin.commit, signal) : listStoreModel(store, origin.prefix);

  const bytesOf = (origin: ModelOrigin): ModelBytes =>
    origin.kind === 'hub' ? hub.bytes(origin.repo, origin.commit) : storeBytes(store, origin.prefix);

  const kept = async (repo: string, commit: string): Promise<FoundModel | null> => {
    const directory = cache.directoryOf({ kind: 'hub', repo, revision: commit, commit });
    const listing = await cache.listing(directory);
    return listing !== null && (await cache.isComplete(directory)) ? await found(listing) : null;
  };

  const findOnHub: Models['findOnHub'] = async (repo, revision, signal) => {
    const pinned = /^[0-9a-f]{40}$/.test(revision) ? await kept(repo, revision) : null;
    if (pinned !== null) return pinned;
    try {
      return await found(await within(signal, (soon) => hub.lookUp(repo, revision, soon)));
    } catch (error) {
      if (!(error instanceof ModelFetchError) || error.kind !== 'unreachable') throw error;
      const commit = await cache.lastCommit(repo, revision);
      const last = commit === null ? null : await kept(repo, commit);
      if (last === null) throw error;
      const warning = `The hub could not be asked for ${repo} (${error.message}); commit ${commit} is used, which ${revision} meant when it was fetched.`;
      return { ...last, warning };
    }
  };

  return {
    findOnHub,
    findInStore: async (written, signal) => {
      const prefix = checkModelPrefix(written);
      return await found(await within(signal, () => listStoreModel(store, prefix)));
    },
    recall: async (directory, origin, signal) => {
      const listing = await cache.listing(directory);
      return await found(listing ?? (await within(signal, (soon) => lookUp(origin, soon))));
    },
    keep: ({ listing }) => cache.keep(listing),
    isComplete: cache.isComplete,
    sweep: cache.sweep,

    fetch: async (directory, origin, { signal, tell }) => {
      if (await cache.isComplete(directory)) return;
      const label = describeOrigin(origin);
      const state: Fetching = { progress: null, failure: null };
      underWay.set(directory, state);
      let begun = steady();
      let [moved, furthest, failures, wasTold] = [begun, 0, 0, false];
      const tryOnce = async () => {
        signal.throwIfAborted();
        const listing = (await cache.listing(directory)) ?? (await lookUpAgain(origin, signal));
        const progress = countProgress(totalBytes(listing.files), steady);
        Object.assign(state, { progress, failure: null });
        const report = reporter({ label, listing, tell, progress, now: steady, wasTold });
        wasTold = true;
        const made = await room.make(listing);
        if (made !== null) tell(removedNews(made));
        await fetchModel(listing, {
          cache,
          from: bytesOf(listing.origin),
          signal,
          ...(options.retry && { retry: options.retry }),
          onBytes: (bytes, isNew) => {
            progress.add(bytes, isNew);
            const reached = progress.read().bytes;
            // What comes again and again, only to break off where it did, leads nowhere.
            if (isNew && reached > furthest) [moved, furthest, failures] = [steady(), reached, 0];
            report();
          },
        });
        tell(fetchedNews(label, listing, steady() - begun));
      };
      try {
        for (;;) {
          const asked = steady();
          try {
            return await slots(() => {
              const waited = steady() - asked;
              [begun, moved] = [begun + waited, moved + waited];
              return tryOnce();
            });
          } catch (error) {
            signal.throwIfAborted();
            if (!(error instanceof ModelFetchError) || !passes(error) || steady() - moved > GIVE_UP_MS) throw error;
            failures += 1;
            state.failure = error.message;
            const message = `${label} could not be fetched yet, it is tried on: ${error.message}`;
            log.warn(message);
            if (failures === 1) tell({ name: 'warning', message, data: {} });
            const wait = backoffMs({ failures, ...(options.retry ?? RETRY) });
            await pause(Math.max(error.retryAfterMs ?? 0, wait), signal);
            signal.throwIfAborted();
          }
        }
      } finally {
        underWay.delete(directory);
      }
    },

    describe: (directory, origin) => {
      const label = describeOrigin(origin);
      const { progress, failure } = underWay.get(directory) ?? { progress: null, failure: null };
      const failed = failure === null ? '' : `; it is tried again, the last try failed: ${failure}`;
      if (progress === null) return `waits for its model, ${label}, to be fetched${failed}`;
      return `its model, ${label}, is being fetched: ${showProgress(progress.read())}${failed}`;
    },
  };

  async function lookUpAgain(origin: ModelOrigin, signal: AbortSignal): Promise<ModelListing> {
    const listing = await within(signal, (soon) => lookUp(origin, soon));
    if (cache.directoryOf(listing.origin) !== cache.directoryOf(origin)) {
      throw new ModelFetchError(
        'missing',
        `${describeOrigin(origin)} is no longer what it was when the run was submitted; submit it again`,
      );
    }
    await cache.keep(listing);
    return listing;
  }
}

/** The hub comes back, and somebody frees space: a run that waits holds nothing meanwhile. */
function passes({ kind }: ModelFetchError): boolean {
  return kind === 'unreachable' || kind === 'disk_full';
}

function fetchedNews(label: string, { files }: ModelListing, ms: number): FetchNews {
  const bytes = totalBytes(files);
  const hashes = files.every(({ hash }) => hash !== null) ? ', each with its stated hash' : '';
  return {
    name: 'model_fetched',
    message: `${label} is there: ${files.length} files, ${inBytes(bytes)}${hashes}`,
    data: { bytes, files: files.length, seconds: Math.round(ms / 1000) },
  };
}

function removedNews({ message, removed }: { message: string; removed: readonly CachedModel[] }): FetchNews {
  const models = removed.map(({ label, bytes }) => ({ label, bytes }));
  return { name: 'model_removed', message, data: { bytes: sumOf(removed), models } };
}

/** Tells of the beginning, and of each tenth that is reached. */
function reporter({
  wasTold,
  label,
  listing,
  tell,
  progress,
  now,
}: {
  label: string;
  listing: ModelListing;
  tell: (news: FetchNews) => void;
  progress: { read: () => FetchProgress };
  now: () => number;
  /** Whether it was told of the beginning. */
  wasTold: boolean;
}): () => void {
  const { files } = listing;
  const total = totalBytes(files);
  if (!wasTold)
    tell({
      name: 'model_fetching',
      message: `${label} is being fetched: ${files.length} files, ${inBytes(total)}`,
      data: { bytes: 0, total_bytes: total, files: files.length },
    });
  let [told, tenths] = [now(), 0];
  return () => {
    const read = progress.read();
    const reached = Math.floor((10 * read.bytes) / Math.max(1, total));
    if (reached <= tenths || reached === 10 || now() - told < TELL_MS) return;
    [told, tenths] = [now(), reached];
    tell({
      name: 'model_fetching',
      message: `${label} is being fetched: ${showProgress(read)}`,
      data: {
        bytes: read.bytes,
        total_bytes: total,
        bytes_per_second: read.bytesPerSecond,
        eta_seconds: read.etaSeconds,
      },
    });
  };
}

async function within<T>(signal: AbortSignal, work: (soon: AbortSignal) => Promise<T>): Promise<T> {
  const soon = AbortSignal.any([signal, AbortSignal.timeout(LOOK_UP_MS)]);
  try {
    return await work(soon);
  } catch (error) {
    if (signal.aborted || !soon.aborted) throw error;
    const message = `nobody has answered within ${LOOK_UP_MS / 1000} s; try again, or set HF_ENDPOINT to a mirror`;
    throw new ModelFetchError('unreachable', message, { cause: error });
  }
}
