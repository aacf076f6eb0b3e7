/**
 * - `leases`: a row for each GPU that belongs to an attempt, so that no GPU can have two owners. It outlives its run, which may be deleted meanwhile.
 * - `lease_epoch`: the newest number of a grant. It begins with the time, so that a database that is made anew repeats none of the lost one's.
 * - `preemptions`: runs that gave their GPUs up, and for whom; until they are started again.
 */
export const leaseTables = `
CREATE TABLE leases (
  gpu TEXT PRIMARY KEY,
  run TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('inference', 'trainer', 'both')),
  place INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  granted_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('held', 'quarantined')),
  note TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_by_owner ON leases (run, attempt);

CREATE TABLE lease_epoch (only INTEGER PRIMARY KEY CHECK (only = 1), newest INTEGER NOT NULL) STRICT;
INSERT INTO lease_epoch VALUES (1, unixepoch());

CREATE TABLE preemptions (
  run TEXT PRIMARY KEY REFERENCES runs(id) ON DELETE CASCADE,
  by TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`;

/** What a program on a leased GPU printed of its being broken; null where nothing was. */
export const leaseSuspicions = 'ALTER TABLE leases ADD COLUMN suspicion TEXT;';
