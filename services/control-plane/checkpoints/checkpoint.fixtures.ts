import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CheckpointCommit, CheckpointPurpose, Manifest } from '../../contracts/checkpoint.ts';
import { MANIFEST_SCHEMA } from '../../contracts/checkpoint.ts';
import { openDatabase } from '../../platform/database.ts';
import { openFileStore } from '../../platform/file-store.ts';
import { createLogger } from '../../platform/logger.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import type { LineageLink } from '../attempts/attempt.store.ts';
import type { NewEvent } from '../events/event.store.ts';
import { type CheckpointService, createCheckpointService } from './checkpoint.service.ts';
import { checkpointTables } from './checkpoint.tables.ts';
import { checkpointLabel, checkpointPrefix } from './checkpoint-keys.ts';
import { lineageOf, type ResumedAttempt } from './lineage.ts';
import { pinTables } from './pin.tables.ts';
import type { RetentionRules } from './retention.ts';
import type { AttemptSpan } from './sweep.ts';
import { uploadTables } from './upload.tables.ts';

/** For tests: manifests by hand, and a service over a store and a database of its own. */
export const RUN = 'run-aaaaaaaa';
export const GRACE_MS = 3_600_000;
export const quietLog = createLogger({ level: 'error', terminal: null });

/** The newest so many, and the best. */
export const newest = (limit: number): { rules: RetentionRules } => ({
  rules: { limit, keepBest: 1, keepEvery: null },
});

export const contentOf = (step: number, path: string) => Buffer.from(`${path} of step ${step}`.repeat(3));

export function commitOf(
  step: number,
  purposes: CheckpointPurpose[] = ['step'],
  change: Partial<CheckpointCommit> = {},
): CheckpointCommit {
  const files = ['model/adapter_model.safetensors', 'optimizer.pt'].map((path) => {
    const bytes = contentOf(step, path);
    return { path, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
  return {
    step,
    purposes,
    policy_version: step,
    record: step * 10,
    epoch: step / 100,
    best_metric: null,
    metrics: { loss: 0.5 },
    inputs: {},
    files,
    ...change,
  };
}

export function manifestOf(
  run: string,
  attempt: number,
  step: number,
  purposes: CheckpointPurpose[] = ['step'],
  change: Partial<Manifest> = {},
): Manifest {
  const created_at = new Date(Date.UTC(2026, 10, 20, 0, attempt, step)).toISOString();
  return {
    schema: MANIFEST_SCHEMA,
    run,
    attempt,
    name: `checkpoint-${step}`,
    created_at,
    ...commitOf(step, purposes),
    ...change,
  };
}

/** The attempts of runs, as far as checkpoints need them. */
export function fakeAttempts(now: () => number = () => 0) {
  const rows: (ResumedAttempt &
    AttemptSpan & { run: string; number: number; open: boolean; resumed_from: string | null })[] = [];
  const get = (run: string, number: number) => rows.find((row) => row.run === run && row.number === number);
  const close = (run: string): void => {
    for (const row of rows) {
      if (row.run !== run || !row.open) continue;
      Object.assign(row, { open: false, ended_at: now() });
    }
  };
  return {
    get,
    open: (run: string) => rows.findLast((row) => row.run === run && row.open),
    lineage: (run: string): LineageLink[] => {
      const current = rows.findLast((row) => row.run === run);
      if (current === undefined) return [];
      const [first, ...rest] = lineageOf({ run, attempt: current.number, step: 0 }, get);
      return [{ ...(first as LineageLink), upToStep: null }, ...rest];
    },
    /** Closes the attempt before, if any, and opens the next. */
    start(run: string, from: { run: string; attempt: number; step: number } | null = null): number {
      close(run);
      const number = rows.filter((row) => row.run === run).length + 1;
      rows.push({
        run,
        number,
        open: true,
        opened_at: now(),
        ended_at: null,
        resumed_from: from && checkpointLabel(from),
        resumed_run: from?.run ?? null,
        resumed_attempt: from?.attempt ?? null,
        resumed_step: from?.step ?? null,
      });
      return number;
    },
    close,
  };
}

export interface CheckpointFixture {
  home: string;
  store: ObjectStore;
  attempts: ReturnType<typeof fakeAttempts>;
  events: NewEvent[];
  checkpoints: CheckpointService;
  /** A service over the same store, database and attempts, with another view of the store. */
  over(store: ObjectStore): CheckpointService;
  /** Uploads and commits, as the open attempt of the run. */
  save(step: number, purposes?: CheckpointPurpose[], change?: Partial<CheckpointCommit>): Promise<Manifest>;
  /** Uploads alone. */
  upload(step: number): Promise<void>;
  /** Lets that much time pass. */
  pass(ms: number): void;
  /** Loses what the database knows of checkpoints. */
  forget(): void;
  close(): void;
}

/** Over a directory, unless another store is given. */
export function openCheckpoints(run = RUN, given?: ObjectStore): CheckpointFixture {
  const home = mkdtempSync(join(tmpdir(), 'tandem-checkpoints-'));
  const db = openDatabase({ path: join(home, 'tandem.db'), migrations: [checkpointTables, uploadTables, pinTables] });
  const store = given ?? openFileStore(join(home, 'objects'));
  let clock = Date.UTC(2026, 10, 20);
  const now = () => (clock += 1000);
  const attempts = fakeAttempts(now);
  const events: NewEvent[] = [];
  const over = (view: ObjectStore) =>
    createCheckpointService({
      db,
      store: view,
      attempts,
      events: {
        append: (event) => {
          events.push(event);
          return {
            id: events.length,
            time: '',
            status: null,
            reason: null,
            data: {},
            ...event,
            attempt: event.attempt ?? null,
          };
        },
      },
      sweepGraceMs: GRACE_MS,
      now,
      log: quietLog,
    });
  const checkpoints = over(store);
  attempts.start(run);
  const current = () => attempts.open(run)?.number ?? 0;
  const upload = async (step: number) => {
    for (const { path } of commitOf(step).files) {
      await store.put(checkpointPrefix({ run, attempt: current(), step }) + path, contentOf(step, path));
    }
  };
  return {
    home,
    store,
    attempts,
    events,
    checkpoints,
    over,
    upload,
    save: async (step, purposes, change) => {
      await upload(step);
      return checkpoints.commit({ run, attempt: current() }, commitOf(step, purposes, change));
    },
    pass: (ms) => {
      clock += ms;
    },
    forget: () => {
      for (const table of ['checkpoints', 'checkpoint_pins']) db.run(`DELETE FROM ${table}`);
    },
    close: () => {
      db.close();
      rmSync(home, { recursive: true });
    },
  };
}
