import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../../platform/atomic-file.ts';
import { allInSlots, createSlots } from '../../platform/transfer/slots.ts';
import { fetchModelFile, type RetryLimits } from './fetch-model-file.ts';
import type { ModelCache } from './model-cache.ts';
import { ModelFetchError } from './model-fetch-error.ts';
import { describeOrigin, inBytes, type ModelBytes, type ModelListing } from './model-files.ts';

const FILES_AT_ONCE = 4;
/** Left free beside a model, for the runs that use it. */
const SPARE_BYTES = 64 * 2 ** 20;

/**
 * Fetches a model into its directory of the cache, several files at a time. Files that are there are not fetched again; the directory has its name once all of
 * them are.
 * @throws ModelFetchError, or the signal's reason
 */
export async function fetchModel(
  listing: ModelListing,
  options: {
    cache: ModelCache;
    from: ModelBytes;
    signal: AbortSignal;
    onBytes: (bytes: number, isNew: boolean) => void;
    retry?: RetryLimits;
  },
): Promise<void> {
  const { cache, from, signal, onBytes, retry } = options;
  const directory = cache.directoryOf(listing.origin);
  await requireSpace(listing, cache);
  const unfinished = `${directory}.partial`;
  await mkdir(unfinished, { recursive: true });
  await allInSlots(listing.files, createSlots(FILES_AT_ONCE), signal, (file, stop) =>
    fetchModelFile(file, join(unfinished, file.path), { from, signal: stop, onBytes, ...(retry && { retry }) }),
  );
  await syncDirectory(unfinished);
  await rename(unfinished, directory);
  await syncDirectory(dirname(directory));
}

/** Throws disk_full with the figures before a byte of what cannot fit is written. */
export async function requireSpace({ origin, files }: ModelListing, cache: ModelCache): Promise<void> {
  const directory = cache.directoryOf(origin);
  const { needed, free } = await cache.space(directory, files);
  if (needed === 0 || needed + SPARE_BYTES <= free) return;
  const what = `${describeOrigin(origin)} needs ${inBytes(needed)} more in ${dirname(directory)}, where ${inBytes(free)} are free`;
  throw new ModelFetchError(
    'disk_full',
    `${what}; free ${inBytes(needed + SPARE_BYTES - free)} there, or set TANDEM_HOME to a larger disk`,
  );
}
