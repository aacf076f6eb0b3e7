import { beforeEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../platform/database.ts';
import { migrations } from '../schema.ts';
import { createLeaseStore, LeaseConflictError, type LeaseStore } from './lease.store.ts';

let db: Database;
let leases: LeaseStore;
beforeEach(() => {
  db = openDatabase({ path: ':memory:', migrations });
  leases = createLeaseStore({ db });
});

const owner = (run: string, attempt = 1) => ({ run, attempt, granted_at: 5 });
const gpusOf = (run: string) => leases.all().flatMap((lease) => (lease.run === run ? [lease.gpu] : []));

describe('leases', () => {
  it('go to both roles in the order they were chosen in, or to the two together', () => {
    leases.grant(owner('split'), { inference: ['GPU-5', 'GPU-1'], trainer: ['GPU-3', 'GPU-2'] });
    leases.grant(owner('shared'), { inference: ['GPU-7', 'GPU-6'], trainer: ['GPU-7', 'GPU-6'] });
    expect(leases.heldBy('split', 1)).toMatchObject({ inference: ['GPU-5', 'GPU-1'], trainer: ['GPU-3', 'GPU-2'] });
    expect(leases.heldBy('shared', 1)).toMatchObject({ inference: ['GPU-7', 'GPU-6'], trainer: ['GPU-7', 'GPU-6'] });
    expect(leases.all().map(({ gpu, role }) => `${gpu} ${role}`)).toEqual([
      ...['GPU-1 inference', 'GPU-2 trainer', 'GPU-3 trainer', 'GPU-5 inference', 'GPU-6 both', 'GPU-7 both'],
    ]);
    expect(leases.heldBy('split', 2)).toBeNull();
  });

  it('are given all or none, and what else was done with them is undone as well', () => {
    leases.grant(owner('first'), { inference: [], trainer: ['GPU-1'] });
    const before = leases.all();
    const grant = () =>
      db.transaction(() => {
        leases.forgetPreemption('second');
        leases.grant(owner('second'), { inference: ['GPU-0'], trainer: ['GPU-1'] });
      });
    expect(grant).toThrow(LeaseConflictError);
    expect(leases.all()).toEqual(before);
  });

  it('never have the number of another grant, also when those are long gone and the database is a new one', () => {
    const numbers = [1, 2, 3].map((attempt) => {
      const epoch = leases.grant(owner('run', attempt), { inference: [], trainer: ['GPU-0'] });
      expect(leases.release({ run: 'run', attempt, epoch }, ['GPU-0'])).toEqual(['GPU-0']);
      return epoch;
    });
    expect(numbers).toEqual([numbers[0]!, numbers[0]! + 1, numbers[0]! + 2]);
    // A grant a second is more than there ever was.
    expect(numbers[0]).toBeGreaterThan(Date.parse('2026-01-01T00:00:00Z') / 1000);
  });

  it('are suspected by role, and trusted again one by one', () => {
    leases.grant(owner('split'), { inference: ['GPU-1'], trainer: ['GPU-2', 'GPU-3'] });
    leases.grant(owner('shared'), { inference: ['GPU-7'], trainer: ['GPU-7'] });
    const suspects = () => leases.all().flatMap(({ gpu, suspicion }) => (suspicion === null ? [] : [gpu]));
    leases.suspect(owner('split'), 'trainer', 'Xid');
    leases.suspect(owner('shared'), 'inference', 'Xid');
    leases.suspect(owner('other'), 'trainer', 'Xid');
    expect(suspects()).toEqual(['GPU-2', 'GPU-3', 'GPU-7']);
    expect(leases.trust('GPU-2')).toBe(true);
    expect(leases.trust('GPU-2')).toBe(false);
    expect(suspects()).toEqual(['GPU-3', 'GPU-7']);
  });

  it('are released and marked for their owner alone', () => {
    const epoch = leases.grant(owner('run'), { inference: [], trainer: ['GPU-0', 'GPU-1'] });
    const strangers = [
      { run: 'other', attempt: 1, epoch },
      { run: 'run', attempt: 2, epoch },
      { run: 'run', attempt: 1, epoch: epoch - 1 },
    ];
    for (const stranger of strangers) {
      expect(leases.release(stranger, ['GPU-0', 'GPU-1'])).toEqual([]);
      expect(leases.mark(stranger, 'GPU-0', 'quarantined', 'x')).toBe(false);
    }
    const own = { run: 'run', attempt: 1, epoch };
    expect(leases.mark(own, 'GPU-0', 'quarantined', 'x')).toBe(true);
    expect(leases.mark(own, 'GPU-0', 'quarantined', 'x')).toBe(false);
    expect(leases.heldBy('run', 1)).toMatchObject({ trainer: ['GPU-1'] });
    expect(leases.release(own, ['GPU-0', 'GPU-2'])).toEqual(['GPU-0']);
    expect(gpusOf('run')).toEqual(['GPU-1']);
  });
});
