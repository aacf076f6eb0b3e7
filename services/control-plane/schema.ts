import { idempotencyTables } from './api/idempotency.tables.ts';
import { attemptTables } from './attempts/attempt.tables.ts';
import { checkpointTables } from './checkpoints/checkpoint.tables.ts';
import { pinTables } from './checkpoints/pin.tables.ts';
import { uploadTables } from './checkpoints/upload.tables.ts';
import { eventTables } from './events/event.tables.ts';
import { leaseSuspicions, leaseTables } from './leases/lease.tables.ts';
import { recordTables } from './records/record.tables.ts';
import { rewardFileColumn, runModelTables, runTables } from './runs/run.tables.ts';
import { trackerTables } from './trackers/tracker.tables.ts';

/** Migrations of `tandem.db`, in order; one that was released is never changed, a new one is added. */
export const migrations: readonly string[] = [
  [runTables, attemptTables, eventTables, recordTables, checkpointTables, idempotencyTables].join('\n'),
  uploadTables,
  pinTables,
  leaseTables,
  leaseSuspicions,
  runModelTables,
  rewardFileColumn,
  trackerTables,
];
