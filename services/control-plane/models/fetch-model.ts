import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../../platform/atomic-file.ts';
import { allInSlots, createSlots } from '../../platform/transfer/slots.ts';
import { fetchModelFile, type RetryLimits } from './fetch-model-file.ts';
import type { ModelCache } from './model-cache.ts';
import type { ModelBytes, ModelListing } from './model-files.ts';

const FILES_AT_ONCE = 4;

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
  const unfinished = `${directory}.partial`;
  await mkdir(unfinished, { recursive: true });
  await allInSlots(listing.files, createSlots(FILES_AT_ONCE), signal, (file, stop) =>
    fetchModelFile(file, join(unfinished, file.path), { from, signal: stop, onBytes, ...(retry && { retry }) }),
  );
  await syncDirectory(unfinished);
  await rename(unfinished, directory);
  await syncDirectory(dirname(directory));
}
