import type { Database } from '../../platform/database.ts';
import type { Logger } from '../../platform/logger.ts';

/** Smaller differences are what clocks are corrected by all the time; no deadline is that exact. */
const JUMP_MS = 2000;

/**
 * Watches for the clock of the machine being set. Deadlines are kept as times of day, so that they survive a restart; when the day's time jumps, the
 * ones that are waited for, and the beginnings they are counted from, are moved by the same, and none comes early, late or before it began.
 */
export function watchClock({
  db,
  wall,
  steady,
  log,
}: {
  db: Database;
  wall: () => number;
  steady: () => number;
  log: Pick<Logger, 'warn'>;
}): { follow(): number } {
  let offset = wall() - steady();
  return {
    /** Milliseconds by which the clock has been set since the last call; 0 nearly always. */
    follow() {
      const now = wall() - steady();
      const jump = now - offset;
      if (Math.abs(jump) < JUMP_MS) return 0;
      db.transaction(() => moveTimes(db, Math.round(jump)));
      offset = now;
      const how = `${jump > 0 ? 'forward' : 'back'} by ${Math.round(Math.abs(jump) / 1000)} s`;
      log.warn(`The clock of this machine was set ${how}; deadlines have been moved with it.`);
      return jump;
    },
  };
}

function moveTimes(db: Database, by: number): void {
  db.run('UPDATE runs SET stop_deadline = stop_deadline + :by, restart_at = restart_at + :by', { by });
  // Age decides the order of the queue, so a jump must not make those that wait older than those that come; who is under way may come back.
  db.run(
    `UPDATE runs SET queued_at = queued_at + :by WHERE status IN ('queued', 'starting', 'running', 'stopping', 'paused')`,
    { by },
  );
  db.run('UPDATE leases SET granted_at = granted_at + :by', { by });
  db.run(
    `UPDATE attempts SET opened_at = opened_at + :by, started_at = started_at + :by, ending_deadline = ending_deadline + :by
     WHERE ended_at IS NULL`,
    { by },
  );
  // The ends of an inference server count as long as its attempt is open.
  db.run(
    `UPDATE attempt_roles SET started_at = started_at + :by, exited_at = exited_at + :by, term_at = term_at + :by, kill_at = kill_at + :by
     WHERE exited_at IS NULL
        OR EXISTS (SELECT 1 FROM attempts a WHERE a.run = attempt_roles.run AND a.number = attempt AND a.ended_at IS NULL)`,
    { by },
  );
}
