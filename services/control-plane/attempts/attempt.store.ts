import type { Reason } from '../../contracts/reason.ts';
import type { Attempt, Role } from '../../contracts/run.ts';
import type { BindValue, Database } from '../../platform/database.ts';

/** One life of the trainer, as kept. Times are milliseconds since the epoch; `ended_at` null means open. */
export interface AttemptRow {
  run: string;
  number: number;
  token_hash: string | null;
  opened_at: number;
  started_at: number | null;
  ended_at: number | null;
  reason: Reason | null;
  message: string | null;
  resumed_from: string | null;
  resumed_run: string | null;
  resumed_attempt: number | null;
  resumed_step: number | null;
  inference_url: string | null;
  /** Why the control plane ends it, when it does; decides over what the trainer says at its exit. */
  ending_reason: Reason | null;
  ending_message: string | null;
  ending_deadline: number | null;
}

/** One start of a role within an attempt; an inference server that was restarted has several. */
export interface RoleRow {
  run: string;
  attempt: number;
  role: Role;
  start: number;
  state: Attempt['roles'][number]['state'];
  exit_code: number | null;
  pid: number | null;
  started_at: number;
  exited_at: number | null;
  term_at: number | null;
  kill_at: number | null;
}

/** A stretch of training that a run's state descends from: the attempt, up to and including the step; null: all of it. */
export interface LineageLink {
  run: string;
  attempt: number;
  upToStep: number | null;
}

/** The checkpoint an attempt starts from. */
export interface ResumedFrom {
  resumed_from: string | null;
  resumed_run: string | null;
  resumed_attempt: number | null;
  resumed_step: number | null;
}

type RoleKey = Pick<RoleRow, 'run' | 'attempt' | 'role' | 'start'>;

export interface AttemptStore {
  get(run: string, number: number): AttemptRow | undefined;
  list(run: string): AttemptRow[];
  /** The newest attempt, open or closed. */
  current(run: string): AttemptRow | undefined;
  open(run: string): AttemptRow | undefined;
  /** What the state of a run descends from, newest first, across resumes and forks. */
  lineage(run: string): LineageLink[];
  insert(attempt: { run: string; number: number; opened_at: number } & ResumedFrom): void;
  update(run: string, number: number, change: Partial<Omit<AttemptRow, 'run' | 'number'>>): void;
  /** No run that is being preempted gets less time than until then. */
  extendPreemptions(until: number): void;
  roles(run: string, attempt: number): RoleRow[];
  /** Every role that was started and has not been seen to end. */
  liveRoles(): RoleRow[];
  putRole(role: RoleRow): void;
  updateRole(key: RoleKey, change: Partial<Omit<RoleRow, keyof RoleKey>>): void;
  /** All but what the trainer says of itself. */
  view(attempt: AttemptRow): Omit<Attempt, 'engine'>;
}

export function createAttemptStore({ db }: { db: Database }): AttemptStore {
  const get = (run: string, number: number) =>
    db.get<AttemptRow>('SELECT * FROM attempts WHERE run = :run AND number = :number', { run, number });
  const current = (run: string) =>
    db.get<AttemptRow>('SELECT * FROM attempts WHERE run = :run ORDER BY number DESC LIMIT 1', { run });
  const roles = (run: string, attempt: number) =>
    db.all<RoleRow>('SELECT * FROM attempt_roles WHERE run = :run AND attempt = :attempt ORDER BY role, start', {
      run,
      attempt,
    });

  return {
    get,
    current,
    roles,
    list: (run) => db.all<AttemptRow>('SELECT * FROM attempts WHERE run = :run ORDER BY number', { run }),
    open: (run) => db.get<AttemptRow>('SELECT * FROM attempts WHERE run = :run AND ended_at IS NULL', { run }),
    lineage: (run) => {
      const newest = current(run);
      return followLineage(newest ? { ...linkTo(newest), upToStep: null } : parentLink(db, run), get);
    },
    insert: (attempt) => {
      db.run(
        `INSERT INTO attempts (run, number, opened_at, resumed_from, resumed_run, resumed_attempt, resumed_step)
         VALUES (:run, :number, :opened_at, :resumed_from, :resumed_run, :resumed_attempt, :resumed_step)`,
        { ...attempt },
      );
    },
    update: (run, number, change) => {
      db.run(`UPDATE attempts SET ${assignments(change)} WHERE run = :run AND number = :number`, {
        ...(change as Record<string, BindValue>),
        run,
        number,
      });
    },
    extendPreemptions: (until) => {
      db.run(
        "UPDATE attempts SET ending_deadline = max(ending_deadline, :until) WHERE ended_at IS NULL AND ending_reason = 'preempted'",
        { until },
      );
    },
    liveRoles: () => db.all<RoleRow>("SELECT * FROM attempt_roles WHERE state IN ('starting', 'ready')"),
    putRole: (role) => {
      db.run(
        `INSERT INTO attempt_roles (run, attempt, role, start, state, exit_code, pid, started_at, exited_at, term_at, kill_at)
         VALUES (:run, :attempt, :role, :start, :state, :exit_code, :pid, :started_at, :exited_at, :term_at, :kill_at)
         ON CONFLICT DO NOTHING`,
        { ...role },
      );
    },
    updateRole: (key, change) => {
      db.run(
        `UPDATE attempt_roles SET ${assignments(change)}
         WHERE run = :run AND attempt = :attempt AND role = :role AND start = :start`,
        { ...(change as Record<string, BindValue>), ...key },
      );
    },
    view: (attempt) => toView(attempt, roles(attempt.run, attempt.number)),
  };
}

function linkTo(attempt: AttemptRow): { run: string; attempt: number } {
  return { run: attempt.run, attempt: attempt.number };
}

/** A fork that has not started yet descends from its parent's checkpoint. */
function parentLink(db: Database, run: string): LineageLink | null {
  const row = db.get<{ parent_run: string | null; parent_attempt: number | null; parent_step: number | null }>(
    'SELECT parent_run, parent_attempt, parent_step FROM runs WHERE id = :run',
    { run },
  );
  if (row?.parent_run == null || row.parent_attempt === null) return null;
  return { run: row.parent_run, attempt: row.parent_attempt, upToStep: row.parent_step };
}

function followLineage(
  first: LineageLink | null,
  get: (run: string, number: number) => AttemptRow | undefined,
): LineageLink[] {
  const links: LineageLink[] = [];
  for (let link = first; link !== null; ) {
    links.push(link);
    const attempt = get(link.run, link.attempt);
    link =
      attempt?.resumed_run == null || attempt.resumed_attempt === null
        ? null
        : { run: attempt.resumed_run, attempt: attempt.resumed_attempt, upToStep: attempt.resumed_step };
  }
  return links;
}

function assignments(change: object): string {
  return Object.keys(change)
    .map((column) => `${column} = :${column}`)
    .join(', ');
}

function toView(attempt: AttemptRow, roles: RoleRow[]): Omit<Attempt, 'engine'> {
  const newestStarts = new Map(roles.map((role) => [role.role, role]));
  return {
    number: attempt.number,
    resumed_from: attempt.resumed_from,
    resumed_step: attempt.resumed_step,
    started_at: isoOrNull(attempt.started_at),
    ended_at: isoOrNull(attempt.ended_at),
    reason: attempt.reason,
    message: attempt.message,
    roles: [...newestStarts.values()].map(({ role, state, exit_code, pid }) => ({ role, state, exit_code, pid })),
  };
}

function isoOrNull(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
