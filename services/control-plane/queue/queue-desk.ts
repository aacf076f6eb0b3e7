import type { WaitingRunView } from '../../contracts/queue.ts';
import type { GpuService, TimedReading } from '../gpus/gpu.service.ts';
import type { LeaseRow, LeaseStore, RoleGpus } from '../leases/lease.store.ts';
import type { Models } from '../models/models.ts';
import type { Taken } from '../placement/gpu-map.ts';
import { type GpuSet, membersOf } from '../placement/gpu-sets.ts';
import type { Placed } from '../placement/place.ts';
import type { GpuShape } from '../placement/shape.ts';
import type { RunStore } from '../runs/run.store.ts';
import type { QueueRow } from '../runs/run-row.ts';
import { explainWaits } from './explain-waits.ts';
import { createHostReader, type GpuHost } from './gpu-host.ts';
import { type GpuLineOptions, needsGpus, readGpuState } from './gpu-line.ts';
import type { GpuQueueState, Round } from './gpu-queue.ts';
import { schedule } from './schedule.ts';
import { scheduleGpus } from './schedule-gpus.ts';

/** How old a reading may be by which GPUs are given out, in milliseconds: somebody else may have begun to use one since. */
export const FRESH_MS = 5000;

export interface QueueDeskOptions extends GpuLineOptions {
  runs: Pick<RunStore, 'queued' | 'underWay' | 'queueRow'>;
  leases: Pick<LeaseStore, 'all' | 'preemptions'>;
  gpus: Pick<GpuService, 'newest' | 'failure'>;
  models: Pick<Models, 'describe'>;
  /** What `CUDA_VISIBLE_DEVICES` leaves; null: all. */
  visible: readonly string[] | null;
  slots: number;
  now: () => number;
  steady: () => number;
}

/** A run that gets GPUs now. */
export interface GpuStart {
  run: string;
  /** By which they were chosen; a run may be changed before it is started. */
  profile: string;
  gpus: RoleGpus;
  /** In words. */
  why: string;
}

/** What is decided about all runs that wait, and what it was decided from. */
export interface Desk {
  now: number;
  reading: TimedReading | null;
  /** Whether the reading is new enough for giving GPUs out. */
  fresh: boolean;
  leases: readonly LeaseRow[];
  host: GpuHost | null;
  gpus: { state: GpuQueueState; round: Round } | null;
  /** Runs that start on GPUs as soon as the reading is fresh. */
  starts: GpuStart[];
  /** Runs that start on the CPU. */
  cpuStarts: string[];
  slotsUsed: number;
  /** Who waits, in order: for GPUs, then for slots. */
  waiting: WaitingRunView[];
}

/** Runs that have programs on the machine. */
export interface Present {
  /** Of an attempt that is over. */
  ending: ReadonlySet<string>;
}

/** Decides who starts next, for the rounds and for those who ask why they wait. Reads everything anew each time and changes nothing. */
export function createQueueDesk(options: QueueDeskOptions) {
  const { runs, attempts, leases, gpus, models, profiles, slots, now, steady } = options;
  const readHost = createHostReader(options.visible);
  let present: Present = { ending: new Set() };

  const decide = (): Desk => {
    const at = now();
    const all = leases.all();
    const held = all.filter(({ state }) => state === 'held');
    const reading = gpus.newest();
    const host = reading && readHost(reading, all);
    // Who waits for a model is in no line: nothing is kept free for it, and its place is that of its age once the model is there.
    const [queued, waitingForModels] = splitBy(runs.queued(), ({ model }) => model === null);
    const forGpus = queued.filter(({ profile }) => needsGpus(profile, profiles));
    const ending = new Set([
      ...present.ending,
      ...held.filter(({ run, attempt }) => attempts.open(run)?.number !== attempt).map(({ run }) => run),
    ]);
    const state = host && readGpuState({ queued: forGpus, held, ending, host, now: at }, options);
    const round = state && scheduleGpus(state);
    const holders = new Set(held.map(({ run }) => run));
    const forCpu = queued.filter(({ profile }) => !needsGpus(profile, profiles));
    const busy = new Set([
      ...runs.underWay().flatMap(({ id, profile }) => (holders.has(id) || needsGpus(profile, profiles) ? [] : [id])),
      ...[...present.ending].filter((run) => !holders.has(run)),
      // It was on GPUs before, and is not gone from them yet.
      ...forCpu.flatMap(({ id }) => (holders.has(id) ? [id] : [])),
    ]);
    const cpu = schedule({ now: at, slots, busy: [...busy], queued: forCpu });
    const byId = new Map(queued.map((run) => [run.id, run]));
    const fresh = reading !== null && steady() - reading.endedAt <= FRESH_MS;
    const unread = host === null || (!fresh && gpus.failure() !== null);
    const starts = round && state && host && !unread ? seatAll(round, state, host, byId) : [];
    const line = [
      ...(unread
        ? forGpus.map((run, i) => describe(run, i + 1, unreadGpus(gpus.failure())))
        : waitsForGpus(round as Round, state as GpuQueueState, byId, ending, forGpus)),
      ...cpu.flatMap((decision): WaitingRunView[] => {
        if (decision.action === 'start') return [];
        const { run: id, position, why, cause } = decision;
        const free = Math.max(0, slots - busy.size);
        return [describe(byId.get(id) as QueueRow, position, { on: 'cpu', needs: 0, free, cause, why })];
      }),
    ];
    return {
      now: at,
      reading,
      fresh,
      leases: all,
      host,
      gpus: state && round && { state, round },
      starts,
      cpuStarts: cpu.flatMap(({ run, action }) => (action === 'start' ? [run] : [])),
      slotsUsed: busy.size,
      waiting: [...line, ...withoutModel(line, waitingForModels, models, (profile) => needsGpus(profile, profiles))],
    };
  };

  return {
    decide,
    /** Tells which programs the reconciler has seen, which the database does not know. */
    see: (seen: Present): void => {
      present = seen;
    },
    /** The GPUs that a shape would get now, or on an idle host where it would have to wait; none where it does not fit at all. */
    preview: (shape: GpuShape): RoleGpus => {
      const { host, leases: all } = decide();
      if (host === null) return { trainer: [], inference: [] };
      const held = new Set(all.map(({ gpu }) => gpu));
      const isFree = (uuid: string, at: number) => !held.has(uuid) && (host.usable & (1 << at)) !== 0;
      const taken = new Map(host.gpus.flatMap(({ uuid }, at) => (isFree(uuid, at) ? [] : [[uuid, 'leased' as const]])));
      const now = host.placer.place(shape, taken);
      const placed = now.fits ? now : host.placer.place(shape, new Map());
      return placed.fits ? rolesOf(placed) : { trainer: [], inference: [] };
    },
    /** Why a run waits; null for one that starts now, or does not wait. */
    waits: (): Map<string, WaitingRunView> => new Map(decide().waiting.map((each) => [each.run, each])),
  };
}

export type QueueDesk = ReturnType<typeof createQueueDesk>;

/** Which GPUs each role gets, and why these: the round is gone through again with all that was free at each start. */
function seatAll(round: Round, state: GpuQueueState, host: GpuHost, rows: ReadonlyMap<string, QueueRow>): GpuStart[] {
  const kept = round.reservation?.gpus ?? 0;
  let free = state.holding.reduce((set, { gpus }) => set & ~gpus, state.usable);
  return round.starts.flatMap(({ run, gpus, past }): GpuStart[] => {
    const shape = state.waiting.find(({ id }) => id === run)?.shape;
    const profile = rows.get(run)?.profile;
    if (shape === undefined || profile === undefined) return [];
    const from = [free, free & ~kept].find((set) => host.placer.choose(shape, set) === gpus) ?? gpus;
    free &= ~gpus;
    const placed = host.placer.place(shape, takenBut(from, host));
    if (!placed.fits) return [];
    const passing = past === null ? '' : `; past ${past}, which it does not delay`;
    return [{ run, profile, gpus: rolesOf(placed), why: `${placed.why}${passing}` }];
  });
}

function rolesOf({ trainer, inference }: Extract<Placed, { fits: true }>): RoleGpus {
  return { trainer: trainer.map(({ uuid }) => uuid), inference: inference.map(({ uuid }) => uuid) };
}

function takenBut(set: GpuSet, { gpus }: GpuHost): Map<string, Taken> {
  const members = new Set(membersOf(set));
  return new Map(gpus.flatMap(({ uuid }, at) => (members.has(at) ? [] : [[uuid, 'leased' as const]])));
}

type Line = Omit<WaitingRunView, 'run' | 'name' | 'position' | 'priority' | 'queued_at' | 'profile' | 'behind'> & {
  behind?: string | null;
};

function describe(run: QueueRow, position: number, line: Line): WaitingRunView {
  const { id, name, priority, queuedAt, profile } = run;
  const queued_at = new Date(queuedAt).toISOString();
  return { run: id, name, position, priority, queued_at, profile, behind: null, ...line };
}

function withoutModel(
  line: readonly WaitingRunView[],
  runs: readonly QueueRow[],
  models: Pick<Models, 'describe'>,
  onGpus: (profile: string) => boolean,
): WaitingRunView[] {
  const places = { gpus: 0, cpu: 0 };
  for (const { on } of line) places[on] += 1;
  return runs.flatMap((run): WaitingRunView[] => {
    if (run.model === null) return [];
    const on = onGpus(run.profile) ? 'gpus' : 'cpu';
    places[on] += 1;
    const why = models.describe(run.model.directory, run.model.origin);
    return [describe(run, places[on], { on, needs: 0, free: 0, cause: 'model', why })];
  });
}

function splitBy<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}

function unreadGpus(failure: string | null): Line {
  const why = failure === null ? 'the GPUs are being read' : `waits until the GPUs can be read: ${failure}`;
  return { on: 'gpus', needs: 0, free: 0, cause: 'reading', why };
}

function waitsForGpus(
  round: Round,
  state: GpuQueueState,
  rows: ReadonlyMap<string, QueueRow>,
  ending: ReadonlySet<string>,
  queued: readonly QueueRow[],
): WaitingRunView[] {
  const sentences = explainWaits(round, state);
  const waits = round.waits.map(({ run, position, cause, needs, free, behind }, i) => {
    const line: Line = { on: 'gpus', needs, free, cause: cause.kind, behind, why: sentences[i] as string };
    const last: Partial<Line> = ending.has(run) ? { cause: 'ending', why: 'its last programs are still ending' } : {};
    return describe(rows.get(run) as QueueRow, position, { ...line, ...last });
  });
  const known = new Set(state.waiting.map(({ id }) => id));
  const lost = queued.filter(({ id }) => !known.has(id));
  return [
    ...waits,
    ...lost.map((run, i) => {
      const why = `its GPU profile ${run.profile} is no longer there: bring gpu-profiles/${run.profile}.yaml back and start the control plane anew, or cancel it`;
      return describe(run, waits.length + i + 1, { on: 'gpus', needs: 0, free: 0, cause: 'profile', why });
    }),
  ];
}
