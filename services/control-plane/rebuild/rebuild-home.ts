import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../../platform/atomic-file.ts';
import { DatabaseOpenError, openDatabase } from '../../platform/database.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { createAttemptStore } from '../attempts/attempt.store.ts';
import { createCheckpointIndex } from '../checkpoints/checkpoint-index.ts';
import { createPinIndex } from '../checkpoints/pin-index.ts';
import { createUploads } from '../checkpoints/uploads.ts';
import { createEventStore } from '../events/event.store.ts';
import { openHomeFile } from '../home/home-file.ts';
import { lockHome } from '../home/home-lock.ts';
import { openObjects } from '../home/open-objects.ts';
import { createRecordService } from '../records/record.service.ts';
import { createOutputTrees, type OutputTrees } from '../runs/output-tree.ts';
import { createRunStore, type RunStore } from '../runs/run.store.ts';
import type { RunRow } from '../runs/run-row.ts';
import { migrations } from '../schema.ts';
import type { S3Settings } from '../settings/s3.ts';
import { createOwedRuns } from '../trackers/owed-runs.ts';
import { attemptNumbers, namesIn, readStoredRuns } from './read-runs.ts';
import { restoreRun } from './restore-run.ts';

/** There is a database that can be read, so nothing needs rebuilding. */
export class RebuildRefusedError extends Error {
  override readonly name = 'RebuildRefusedError';
}

export interface RebuildReport {
  runs: number;
  attempts: number;
  checkpoints: number;
  records: number;
  events: number;
  /** Runs that were under way, and are ended now. */
  ended: string[];
  /** Where the database that was there before is now; null when there was none. */
  aside: string | null;
  /** What could not be restored, each with where and what to do. */
  problems: string[];
}

/**
 * Makes `<home>/tandem.db` anew from `run.json` files and manifests in the object store, records and events. The database that was there is moved
 * aside once the new one is complete. Idempotency keys are not restored.
 * @throws StartError when the object store cannot be used, HomeLockedError while a control plane uses the home, RebuildRefusedError when the database can be read and `replace` is false
 */
export async function rebuildHome({
  home,
  s3,
  connect,
  replace,
  now,
  log,
}: {
  home: string;
  s3: S3Settings | null;
  connect: (s3: S3Settings) => Promise<ObjectStore>;
  /** Also when the database that is there can be read. */
  replace: boolean;
  now: () => number;
  log: Logger;
}): Promise<RebuildReport> {
  if (!existsSync(home)) throw new RebuildRefusedError(`${home} does not exist; name another one with TANDEM_HOME`);
  const lock = lockHome(home);
  const path = join(home, 'tandem.db');
  const fresh = join(home, 'tandem.db.rebuilding');
  try {
    if (!replace) refuseReadable(path);
    await removeDatabase(fresh);
    const report = await fill({ home, s3, connect, path: fresh, now, log });
    return { ...report, aside: await exchange(path, fresh, new Date(now())) };
  } finally {
    lock.release();
  }
}

function refuseReadable(path: string): void {
  if (!existsSync(path)) return;
  const kept = 'nothing needs rebuilding; --replace does it all the same';
  let runs: number;
  try {
    const db = openDatabase({ path, migrations });
    runs = db.get<{ runs: number }>('SELECT count(*) AS runs FROM runs')?.runs ?? 0;
    db.close();
  } catch (error) {
    if (error instanceof DatabaseOpenError && /has version/.test(error.message)) {
      throw new RebuildRefusedError(`${error.message}; --replace rebuilds it for this build`, { cause: error });
    }
    return;
  }
  if (runs > 0) throw new RebuildRefusedError(`${path} can be read and knows ${runs} runs: ${kept}`);
}

async function fill({
  home,
  s3,
  connect,
  path,
  now,
  log,
}: {
  home: string;
  s3: S3Settings | null;
  connect: (s3: S3Settings) => Promise<ObjectStore>;
  path: string;
  now: () => number;
  log: Logger;
}): Promise<Omit<RebuildReport, 'aside'>> {
  const kept = await openHomeFile(home);
  const steady = () => performance.now();
  const { store, homeFile } = await openObjects({ home, homeFile: kept, s3, connect, steady, log });
  const { installation } = homeFile;
  const trees = createOutputTrees({ installation });
  const found = await readStoredRuns(store);
  const db = openDatabase({ path, migrations });
  try {
    const runs = createRunStore({ db });
    const records = createRecordService({ db, directory: join(home, 'records'), now, log });
    const events = createEventStore({ db, now });
    const attempts = createAttemptStore({ db });
    const checkpoints = createCheckpointIndex({ db });
    const pins = createPinIndex({ db });
    const owed = createOwedRuns({ db });
    const ended: string[] = [];
    const uploads = createUploads({ db });
    for (const file of found.runs) {
      const restored = await restoreRun(
        {
          file,
          tree: await findTree(file, { runs, trees }),
          manifests: found.manifests.get(file.id) ?? [],
          pinned: found.pinned.filter(({ run }) => run === file.id),
          attempts: await attemptNumbers(home, file.id),
        },
        { db, home, runs, attempts, events, records, checkpoints, pins, owed, now },
      );
      if (restored.ended) ended.push(file.id);
    }
    for (const id of found.loose) uploads.begin(id, now());
    const count = (sql: string) => db.get<{ count: number }>(sql)?.count ?? 0;
    return {
      runs: count('SELECT count(*) AS count FROM runs'),
      attempts: count('SELECT count(*) AS count FROM attempts'),
      checkpoints: count('SELECT count(*) AS count FROM checkpoints'),
      records: count('SELECT coalesce(sum(high), 0) AS count FROM record_files'),
      events: count('SELECT count(*) AS count FROM events'),
      ended,
      problems: [...found.problems, ...(await unknownRecords(home, runs))],
    };
  } finally {
    db.close();
  }
}

/** Where the tree of a run is by its marker: where `run.json` says, or beside that, moved aside for a later run. */
async function findTree(
  { id, tree, output_dir }: Pick<RunRow, 'id' | 'tree' | 'output_dir'>,
  { runs, trees }: { runs: Pick<RunStore, 'byTree'>; trees: Pick<OutputTrees, 'inspect'> },
): Promise<Pick<RunRow, 'tree' | 'output_dir'>> {
  const state = await trees.inspect(tree).catch(() => ({ kind: 'empty' as const }));
  const taken = runs.byTree(tree) !== undefined || (state.kind === 'owned' && state.marker.run !== id);
  return taken ? { tree: `${tree}.${id}`, output_dir: `${output_dir}.${id}` } : { tree, output_dir };
}

async function unknownRecords(home: string, runs: Pick<RunStore, 'get'>): Promise<string[]> {
  const names = (await namesIn(join(home, 'records'))).filter((name) => runs.get(name) === undefined);
  return names.map((name) => `records/${name} belongs to no run that has a run.json; it is left where it is.`);
}

/** Puts the new database in the place of the old one, whose journal must never meet the new file. */
async function exchange(path: string, fresh: string, at: Date): Promise<string | null> {
  const aside = `${path}.before-${at.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
  let moved = false;
  for (const suffix of ['', '-wal', '-shm']) {
    if (!existsSync(path + suffix)) continue;
    await rename(path + suffix, aside + suffix);
    moved = true;
  }
  await rename(fresh, path);
  await removeDatabase(fresh);
  await syncDirectory(join(path, '..'));
  return moved ? aside : null;
}

async function removeDatabase(path: string): Promise<void> {
  for (const suffix of ['', '-wal', '-shm']) await rm(path + suffix, { force: true });
}
