import type { AttemptStore } from '../attempts/attempt.store.ts';
import type { LeaseRow, LeaseStore } from '../leases/lease.store.ts';
import { setOf } from '../placement/gpu-sets.ts';
import { shapeOf } from '../placement/shape-of.ts';
import type { RecordService } from '../records/record.service.ts';
import type { GpuProfiles } from '../runs/gpu-profiles.ts';
import type { RunStore } from '../runs/run.store.ts';
import type { QueueRow } from '../runs/run-row.ts';
import { expectedEnd, remainingMs } from './estimates.ts';
import type { GpuHost } from './gpu-host.ts';
import type { GpuQueueState, HoldingRun, Quota, SchedulingPolicy, WaitingRun } from './gpu-queue.ts';

/** How long a run whose last programs are still ending is taken to need for that; then it is looked at again. */
const ENDING_MS = 1000;

export interface GpuLineOptions {
  runs: Pick<RunStore, 'queueRow'>;
  attempts: Pick<AttemptStore, 'open'>;
  leases: Pick<LeaseStore, 'preemptions'>;
  records: Pick<RecordService, 'progress'>;
  profiles: GpuProfiles;
  quotas: readonly Quota[];
  policy: SchedulingPolicy;
}

/** Whether a run needs GPUs: by its profile. One whose profile is no longer there counts as if it did, so that it takes nobody's slot. */
export function needsGpus(profile: string, profiles: GpuProfiles): boolean {
  return profiles.get(profile)?.mode !== 'none';
}

/** What the next round on GPUs is decided over, read from what is kept. `queued`: runs that need GPUs and whose profile is known. */
export function readGpuState(
  {
    queued,
    held,
    ending,
    host,
    now,
  }: {
    queued: readonly QueueRow[];
    /** Leases that are held. */
    held: readonly LeaseRow[];
    /** Runs whose last programs are still ending. */
    ending: ReadonlySet<string>;
    host: GpuHost;
    now: number;
  },
  options: GpuLineOptions,
): GpuQueueState {
  const after = options.leases.preemptions();
  return {
    now,
    usable: host.usable,
    quarantined: host.quarantined,
    holding: groupByGrant(held).map((leases) => holdingRun(leases, host, now, options)),
    waiting: queued.flatMap((run) => {
      const waiting = waitingRun(run, after.get(run.id) ?? null, options);
      if (waiting === null) return [];
      return [
        ending.has(run.id) ? { ...waiting, notBefore: Math.max(waiting.notBefore ?? 0, now + ENDING_MS) } : waiting,
      ];
    }),
    quotas: options.quotas,
    policy: options.policy,
    placer: host.placer,
  };
}

function waitingRun(run: QueueRow, after: string | null, { profiles, records }: GpuLineOptions): WaitingRun | null {
  const profile = profiles.get(run.profile);
  const shape = profile && shapeOf(profile, { serves: run.serves, tensorParallel: run.tensorParallel });
  if (shape == null) return null;
  const { id, priority, queuedAt, restartAt, labels, startedAt, expectedMinutes } = run;
  // One that never started has reported nothing; with thousands in the queue that is not asked.
  const estimateMs = remainingMs(startedAt === null ? null : records.progress(id), expectedMinutes);
  return { id, shape, priority, queuedAt, notBefore: restartAt, estimateMs, after, labels };
}

function holdingRun(
  leases: readonly [LeaseRow, ...LeaseRow[]],
  { gpus, healthy }: GpuHost,
  now: number,
  { runs, attempts, records }: GpuLineOptions,
): HoldingRun {
  const { run: id, attempt, granted_at: since } = leases[0];
  const held = new Set(leases.map(({ gpu }) => gpu));
  const row = runs.queueRow(id);
  const open = attempts.open(id);
  const current = open?.number === attempt;
  return {
    id,
    gpus: setOf(gpus.flatMap(({ uuid }, at) => (held.has(uuid) ? [at] : []))) & healthy,
    priority: row?.priority ?? 0,
    startedAt: since,
    endsAt: row && current ? expectedEnd({ since, now }, records.progress(id), row.expectedMinutes) : now,
    preemptible: row?.preemptible ?? false,
    stopping: row === undefined || row.stopping || !current || open.ending_reason !== null,
    labels: row?.labels ?? {},
  };
}

function groupByGrant(held: readonly LeaseRow[]): [LeaseRow, ...LeaseRow[]][] {
  const groups = new Map<string, [LeaseRow, ...LeaseRow[]]>();
  for (const lease of held) {
    const group = groups.get(`${lease.run} ${lease.epoch}`);
    if (group === undefined) groups.set(`${lease.run} ${lease.epoch}`, [lease]);
    else group.push(lease);
  }
  return [...groups.values()].sort(([a], [b]) => a.epoch - b.epoch);
}
