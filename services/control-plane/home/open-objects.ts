import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openFileStore } from '../../platform/file-store.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { backoffMs } from '../../platform/retry.ts';
import { storageFault } from '../../platform/storage-error.ts';
import type { S3Settings } from '../settings/s3.ts';
import { StartError } from '../start-error.ts';
import { type HomeFile, type StoreName, saveHomeFile } from './home-file.ts';

const RETRY = { baseMs: 500, maxMs: 5000 };
/** After this time no other try begins of a store that cannot be reached at the start; one takes ten seconds where nothing answers. */
const REACHABLE_MS = 25_000;

export interface OpenObjectsOptions {
  home: string;
  homeFile: HomeFile;
  /** null: files below the home. */
  s3: S3Settings | null;
  /** Opens the store and tries what will be needed of it; an error says what is wrong, where, and the remedy. */
  connect: (s3: S3Settings) => Promise<ObjectStore>;
  /** Counts on when the clock of the machine is set. */
  steady: () => number;
  wait?: (ms: number) => Promise<void>;
  log: Pick<Logger, 'warn'>;
}

/**
 * The object store of a home. Which one it is stays in `home.json`, and in an S3 store an object of the home's own says that it is the same one: with
 * another, every checkpoint would look deleted.
 * @throws StartError with the cause, the place and the remedy
 */
export async function openObjects(options: OpenObjectsOptions): Promise<{ store: ObjectStore; homeFile: HomeFile }> {
  const { home, homeFile, s3 } = options;
  const objects = join(home, 'objects');
  const kept =
    homeFile.store ?? ((await isDirectory(join(objects, 'runs'))) ? ({ kind: 'files' } as const) : undefined);
  const wanted: StoreName =
    s3 === null
      ? { kind: 'files' }
      : { kind: 's3', bucket: s3.bucket, ...(s3.prefix === '' ? {} : { prefix: s3.prefix }) };
  if (kept !== undefined && describe(kept) !== describe(wanted)) throw otherStore(home, kept, wanted);
  const store = s3 === null ? openFileStore(objects) : await reach(s3, options);
  if (s3 !== null) await requireMarker(store, s3, options, kept !== undefined);
  if (homeFile.store !== undefined) return { store, homeFile };
  return { store, homeFile: await saveHomeFile(home, { ...homeFile, store: wanted }) };
}

function describe(store: StoreName): string {
  if (store.kind === 'files') return 'files';
  return `the S3 bucket ${store.bucket}${store.prefix === undefined ? '' : ` below ${store.prefix}`}`;
}

function otherStore(home: string, kept: StoreName, wanted: StoreName): StartError {
  const set = wanted.kind === 'files' ? 'TANDEM_S3_ENDPOINT is not set' : `${describe(wanted)} is set`;
  const back =
    kept.kind === 'files'
      ? 'unset TANDEM_S3_ENDPOINT'
      : wanted.kind === 'files'
        ? 'set TANDEM_S3_ENDPOINT again'
        : 'set TANDEM_S3_BUCKET and TANDEM_S3_PREFIX as they were';
  const place = kept.kind === 'files' ? `in ${join(home, 'objects')}` : `in ${describe(kept)}`;
  return new StartError(
    `TANDEM_HOME: ${home} has its checkpoints ${place}, and ${set}: ${back}, give this control plane another TANDEM_HOME, or move the objects: copy all of them, ` +
      `then remove "store" from ${join(home, 'home.json')}${kept.kind === 'files' ? ` and move ${join(home, 'objects')} away` : ''}`,
  );
}

/** Nothing else keeps the process alive yet: an unreferenced timer would end it in the midst of the wait, with exit status 0 or 13 and no word. */
async function stayAwake(ms: number): Promise<void> {
  await sleep(ms);
}

async function reach(
  s3: S3Settings,
  { connect, steady, wait = stayAwake, log }: OpenObjectsOptions,
): Promise<ObjectStore> {
  const until = steady() + REACHABLE_MS;
  for (let failures = 0; ; ) {
    try {
      return await connect(s3);
    } catch (error) {
      const fault = storageFault(error);
      failures += 1;
      if (fault?.kind === 'unreachable' && steady() < until) {
        if (failures === 1) log.warn('The object store is not there yet; it is tried again.', { error });
        await wait(backoffMs({ failures, ...RETRY }));
        continue;
      }
      if (fault === null) throw error;
      throw new StartError(`TANDEM_S3_ENDPOINT: ${fault.message}`, { cause: error });
    }
  }
}

/** `homes/<installation>.json`, written at the first start. */
async function requireMarker(
  store: ObjectStore,
  { endpoint, bucket }: S3Settings,
  { home, homeFile, log }: OpenObjectsOptions,
  expected: boolean,
): Promise<void> {
  const { installation } = homeFile;
  const key = `homes/${installation}.json`;
  if ((await store.head(key)) !== null) return;
  if (expected) {
    throw new StartError(
      `TANDEM_S3_ENDPOINT: bucket ${bucket} at ${endpoint} is not the one that ${home} has its checkpoints in (${key} is not there): set the endpoint of that one, ` +
        `restore the bucket, or, when it is complete without this object, remove "store" from ${join(home, 'home.json')}`,
    );
  }
  const others: string[] = [];
  for await (const { key: other } of store.list('homes/')) others.push(other);
  if (others.length > 0) {
    log.warn(
      'Another installation has used this bucket. A rebuild takes over the runs of all: give each its own TANDEM_S3_BUCKET or TANDEM_S3_PREFIX.',
      { bucket, others },
    );
  }
  await store.put(key, Buffer.from(`${JSON.stringify({ installation })}\n`));
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
