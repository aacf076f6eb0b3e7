import type { Database } from '../../platform/database.ts';

/** A GPU that belongs to an attempt. Times are milliseconds since the epoch. */
export interface LeaseRow {
  /** UUID. */
  gpu: string;
  run: string;
  attempt: number;
  /** `both`: one set for both roles. */
  role: 'inference' | 'trainer' | 'both';
  /** Its place among the GPUs of its role; those of a tensor-parallel group are next to each other. */
  place: number;
  /** Number of the grant, which no other ever has. */
  epoch: number;
  granted_at: number;
  /** `quarantined`: the programs of the attempt are gone, and the GPU is not clean. */
  state: 'held' | 'quarantined';
  /** What is wrong with it; null where nothing is. */
  note: string | null;
  /** The line by which a program of the attempt told that it is broken; null where none did. */
  suspicion: string | null;
}

/** Whose a lease is; what is done with one is done for this owner alone. */
export type LeaseOwner = Pick<LeaseRow, 'run' | 'attempt' | 'epoch'>;

/** GPUs for an attempt, in the order in which its roles get them. The same ones twice for roles that share. */
export interface RoleGpus {
  trainer: readonly string[];
  inference: readonly string[];
}

/** A GPU is leased already; whoever asked for it gets none of those that it asked for. */
export class LeaseConflictError extends Error {
  override readonly name = 'LeaseConflictError';
}

export interface LeaseStore {
  /** Every GPU that is leased, by UUID. */
  all(): LeaseRow[];
  /** What the roles of an attempt hold, and the number of the grant; null for one that holds none. */
  heldBy(run: string, attempt: number): (RoleGpus & { epoch: number }) | null;
  /**
   * Leases all of the GPUs, in the transaction that opens the attempt. Returns the number of the grant.
   * @throws LeaseConflictError when one of them is leased; the transaction is to fail by it
   */
  grant(owner: { run: string; attempt: number; granted_at: number }, gpus: RoleGpus): number;
  /** Deletes those of the GPUs that are still this owner's, and returns them. */
  release(owner: LeaseOwner, gpus: readonly string[]): string[];
  /** Marks those of the GPUs that are still this owner's; says whether anything has changed. */
  mark(owner: LeaseOwner, gpu: string, state: LeaseRow['state'], note: string | null): boolean;
  /** Notes what a program of an attempt printed of the GPUs of its role. */
  suspect(attempt: Pick<LeaseRow, 'run' | 'attempt'>, role: 'inference' | 'trainer', line: string): void;
  /** Takes that back for one GPU; says whether there was anything to take back. */
  trust(gpu: string): boolean;
  /** Notes for whom a run gives its GPUs up. */
  notePreemption(run: string, by: string): void;
  forgetPreemption(run: string): void;
  /** For each run that gave its GPUs up and has not been started since: for whom. */
  preemptions(): Map<string, string>;
}

export function createLeaseStore({ db }: { db: Database }): LeaseStore {
  const owned = 'gpu = :gpu AND run = :run AND attempt = :attempt AND epoch = :epoch';
  const key = ({ run, attempt, epoch }: LeaseOwner) => ({ run, attempt, epoch });
  return {
    all: () => db.all<LeaseRow>('SELECT * FROM leases ORDER BY gpu'),
    heldBy: (run, attempt) => {
      const rows = db.all<LeaseRow>(
        "SELECT * FROM leases WHERE run = :run AND attempt = :attempt AND state = 'held' ORDER BY place",
        { run, attempt },
      );
      const [first] = rows;
      if (first === undefined) return null;
      const of = (role: 'inference' | 'trainer') =>
        rows.filter((row) => row.role === role || row.role === 'both').map(({ gpu }) => gpu);
      return { trainer: of('trainer'), inference: of('inference'), epoch: first.epoch };
    },
    grant: ({ run, attempt, granted_at }, gpus) =>
      db.transaction(() => {
        db.run('UPDATE lease_epoch SET newest = newest + 1');
        const { newest: epoch } = db.get<{ newest: number }>('SELECT newest FROM lease_epoch') as { newest: number };
        const owner = { run, attempt, epoch, granted_at };
        for (const { gpu, role, place } of seats(gpus)) {
          const { changes } = db.run(
            `INSERT INTO leases (gpu, run, attempt, role, place, epoch, granted_at, state)
             VALUES (:gpu, :run, :attempt, :role, :place, :epoch, :granted_at, 'held') ON CONFLICT DO NOTHING`,
            { ...owner, gpu, role, place },
          );
          if (changes === 0)
            throw new LeaseConflictError(`${gpu} is leased already; ${run} gets none of its GPUs now.`);
        }
        return epoch;
      }),
    release: (owner, gpus) =>
      gpus.filter((gpu) => db.run(`DELETE FROM leases WHERE ${owned}`, { ...key(owner), gpu }).changes === 1),
    mark: (owner, gpu, state, note) =>
      db.run(
        `UPDATE leases SET state = :state, note = :note WHERE ${owned} AND (state <> :state OR note IS NOT :note)`,
        { ...key(owner), gpu, state, note },
      ).changes === 1,
    suspect: ({ run, attempt }, role, line) => {
      db.run(
        "UPDATE leases SET suspicion = :line WHERE run = :run AND attempt = :attempt AND role IN (:role, 'both')",
        { run, attempt, role, line },
      );
    },
    trust: (gpu) =>
      db.run('UPDATE leases SET suspicion = NULL WHERE gpu = :gpu AND suspicion IS NOT NULL', { gpu }).changes === 1,
    notePreemption: (run, by) => {
      db.run('INSERT INTO preemptions VALUES (:run, :by) ON CONFLICT DO UPDATE SET by = :by', { run, by });
    },
    forgetPreemption: (run) => {
      db.run('DELETE FROM preemptions WHERE run = :run', { run });
    },
    preemptions: () =>
      new Map(db.all<{ run: string; by: string }>('SELECT run, by FROM preemptions').map(({ run, by }) => [run, by])),
  };
}

function seats({ trainer, inference }: RoleGpus): Pick<LeaseRow, 'gpu' | 'role' | 'place'>[] {
  const shared = new Set(trainer.filter((gpu) => inference.includes(gpu)));
  const seat = (role: 'inference' | 'trainer') => (gpu: string, place: number) => {
    return { gpu, role: shared.has(gpu) ? ('both' as const) : role, place };
  };
  return [...inference.map(seat('inference')), ...trainer.filter((gpu) => !shared.has(gpu)).map(seat('trainer'))];
}
