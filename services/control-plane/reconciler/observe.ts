import type { AttemptRow, AttemptStore, RoleRow } from '../attempts/attempt.store.ts';
import type { Pulse } from '../records/pulse.ts';
import type { RecordService } from '../records/record.service.ts';
import type { GpuProfiles } from '../runs/gpu-profiles.ts';
import { hasServer } from '../runs/inference-of.ts';
import type { RunStore } from '../runs/run.store.ts';
import type { RunRow } from '../runs/run-row.ts';
import type { ObservedRole, RoleIdentity, Runtime } from '../runtimes/runtime.ts';
import type { ActiveRun, Leftover, Observation, RoleView } from './observation.ts';
import type { QueueWatch } from './observe-queue.ts';
import { isServing } from './plan.ts';
import type { Vigil } from './vigil.ts';

/** A trainer that is silent for longer may be waiting for its server. */
const QUIET_MS = 5000;

type AttemptKey = Pick<RoleIdentity, 'run' | 'attempt'>;

export interface ObserveOptions {
  runs: Pick<RunStore, 'active' | 'filesDue' | 'modelsDue'>;
  attempts: Pick<AttemptStore, 'open' | 'roles' | 'liveRoles'>;
  records: Pick<RecordService, 'lastReportAt' | 'outcome' | 'pulse'>;
  runtime: Pick<Runtime, 'observe' | 'listShared' | 'serving'>;
  vigil: Vigil;
  now: () => number;
  since: number;
  queue: QueueWatch;
  profiles: GpuProfiles;
}

/** Until both roles answer, for a run whose profile is gone. */
const DEFAULT_READY_MS = 3_600_000;

/** Reads the state of everything from the machine and the database. */
export async function observe(options: ObserveOptions): Promise<Observation> {
  const { runs, attempts, records, runtime } = options;
  const observed = await runtime.observe();
  const shared = await runtime.listShared();
  options.vigil.round(options.now());
  const active: ActiveRun[] = [];
  for (const run of runs.active()) {
    const attempt = attempts.open(run.id);
    if (attempt === undefined) continue;
    const views = viewRoles(
      attempts.roles(run.id, attempt.number),
      observed.filter(({ identity }) => identity.run === run.id && identity.attempt === attempt.number),
    );
    const inference = views.filter((view) => roleOf(view).role === 'inference');
    const reported = records.lastReportAt(run.id, attempt.number) !== null;
    // Without a server there is nothing to make progress with; that the server comes back has deadlines of its own.
    const begun = reported || run.status !== 'starting';
    const able = begun && (!hasServer(run.spec) || isServing({ inference, attempt }));
    const pulse = able ? await records.pulse(run.id, attempt.number) : null;
    const silentMs = pulse === null ? 0 : options.vigil.since(`${run.id}.a${attempt.number}`, markOf(pulse));
    active.push({
      run,
      attempt,
      pulse,
      silentMs,
      deafMs: silentMs > QUIET_MS ? await deafness(inference.at(-1), attempt, options) : 0,
      inference,
      trainer: views.find((view) => roleOf(view).role === 'trainer') ?? null,
      servingAt: await findServer(inference.at(-1), options),
      reported,
      finishing: records.outcome(run.id, attempt.number) !== null,
      readyMs: readyTime(run, options.profiles),
    });
  }
  const left = leftovers({ observed, shared }, attempts, active);
  return {
    now: options.now(),
    since: options.since,
    queue: options.queue({ active, leftovers: left }),
    active,
    leftovers: left,
    filesDue: runs.filesDue().map(({ id }) => id),
    modelsDue: runs.modelsDue(),
  };
}

/** As its profile says, and no less than its own deadlines for the two starts together. */
function readyTime({ profile, spec }: RunRow, profiles: GpuProfiles): number {
  const { starting_inference, starting_trainer } = spec.recovery.deadlines;
  const own = ((starting_inference ?? 0) + (starting_trainer ?? 0)) * 1000;
  const ready = profiles.get(profile)?.deadlines.ready;
  return Math.max(ready === undefined ? DEFAULT_READY_MS : ready * 1000, own);
}

/** For how long a server that is said to serve has not answered its health check; 0 when it answers, or when there is none. */
async function deafness(
  newest: RoleView | undefined,
  attempt: AttemptRow,
  { runtime, vigil }: ObserveOptions,
): Promise<number> {
  if (attempt.inference_url === null || newest?.observed == null) return 0;
  if ((await runtime.serving(newest.observed.identity)) !== null) return 0;
  return vigil.since(`${attempt.run}.a${attempt.number}.inference`, attempt.inference_url);
}

function markOf({ beat, phase }: Pulse): string {
  return `${beat} ${phase}`;
}

/** A server that has not been noted as ready, and answers. */
async function findServer(
  newest: RoleView | undefined,
  { runtime }: Pick<ObserveOptions, 'runtime'>,
): Promise<string | null> {
  if (newest?.observed?.state !== 'running' || newest.row?.state !== 'starting') return null;
  return await runtime.serving(newest.observed.identity);
}

/** What is on the machine, or noted as running, for attempts that are not open. */
function leftovers(
  { observed, shared }: { observed: readonly ObservedRole[]; shared: readonly AttemptKey[] },
  attempts: Pick<AttemptStore, 'roles' | 'liveRoles'>,
  active: readonly ActiveRun[],
): Leftover[] {
  const open = new Set(active.map(({ run, attempt }) => `${run.id}.a${attempt.number}`));
  const found = new Map<string, AttemptKey>();
  for (const { run, attempt } of [...observed.map(({ identity }) => identity), ...attempts.liveRoles(), ...shared]) {
    const key = `${run}.a${attempt}`;
    if (!open.has(key)) found.set(key, { run, attempt });
  }
  return [...found.values()].map(({ run, attempt }) => ({
    run,
    attempt,
    shares: shared.some((each) => each.run === run && each.attempt === attempt),
    roles: viewRoles(
      attempts.roles(run, attempt),
      observed.filter(({ identity }) => identity.run === run && identity.attempt === attempt),
    ).map(lostIfAbsent),
  }));
}

/** Noted as running in an attempt that is over, and not there: it is gone. */
function lostIfAbsent(view: RoleView): RoleView {
  if (view.observed !== null || view.row === null || !['starting', 'ready'].includes(view.row.state)) return view;
  const { run, attempt, role, start, pid } = view.row;
  const observed = {
    identity: { run, attempt, role, start },
    state: 'lost',
    exitCode: null,
    pid,
    rebooted: false,
  } as const;
  return { ...view, observed };
}

function viewRoles(rows: readonly RoleRow[], observed: readonly ObservedRole[]): RoleView[] {
  const views = new Map<string, RoleView>(rows.map((row) => [`${row.role}.${row.start}`, { row, observed: null }]));
  for (const role of observed) {
    const key = `${role.identity.role}.${role.identity.start}`;
    views.set(key, { row: views.get(key)?.row ?? null, observed: role });
  }
  return [...views.values()].sort((a, b) => roleOf(a).start - roleOf(b).start);
}

function roleOf({ observed, row }: RoleView): Pick<RoleIdentity, 'role' | 'start'> {
  return observed?.identity ?? (row as RoleRow);
}
