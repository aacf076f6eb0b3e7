import { type GpuSet, sizeOf } from '../placement/gpu-sets.ts';
import { gpusOf } from '../placement/shape.ts';
import type {
  GpuQueueState,
  HoldingRun,
  Reservation,
  Round,
  SchedulingPolicy,
  WaitCause,
  WaitingRun,
} from './gpu-queue.ts';
import { choosePreemptions } from './preempt.ts';
import { createQuotaLedger } from './quota-ledger.ts';
import { reserve } from './reserve.ts';

/**
 * One round over all runs that wait for GPUs, on a copy of the state. In the order of priority and age runs are started until one has to wait for GPUs: that
 * one gets a reservation, after those of lower priority that it may preempt are asked to stop. Behind it a run starts only if by the estimates it ends before
 * the reserved time, or leaves the reserved GPUs and the reserved share of its quotas alone.
 *
 * A run that only its quota holds up, or that no end of a run would make room for, keeps nobody waiting but those of its quota.
 */
export function scheduleGpus(state: GpuQueueState): Round {
  const { now, quotas, placer } = state;
  const round: Round = { starts: [], waits: [], preemptions: [], reservation: null };
  const ledger = createQuotaLedger(quotas, state.holding);
  let holding: readonly HoldingRun[] = state.holding;
  let free = holding.reduce((set, { gpus }) => set & ~gpus, state.usable);
  let freeCount = sizeOf(free);
  const usableCount = sizeOf(state.usable);

  const start = (run: WaitingRun, gpus: GpuSet): void => {
    const { id, priority, labels, estimateMs } = run;
    const endsAt = estimateMs === null ? null : now + estimateMs;
    holding = [...holding, { id, gpus, priority, labels, startedAt: now, endsAt, preemptible: false, stopping: false }];
    ledger.charge(labels, sizeOf(gpus));
    free &= ~gpus;
    freeCount = sizeOf(free);
    round.starts.push({ run: id, gpus, past: round.reservation?.run ?? null });
  };
  const wait = (run: WaitingRun, needs: number, cause: WaitCause, behind: string | null): void => {
    round.waits.push({ run: run.id, position: round.waits.length + 1, cause, needs, free: freeCount, behind });
  };

  for (const run of inOrder(state.waiting, state.policy)) {
    const needs = gpusOf(run.shape);
    const held = heldUp(run, needs);
    const { reservation } = round;
    if (held !== null) {
      wait(run, needs, held, null);
    } else if (reservation === null) {
      const gpus = isDue(run, now) ? placer.choose(run.shape, free) : null;
      if (gpus !== null) start(run, gpus);
      else {
        wait(run, needs, causeOf(run), null);
        round.reservation = keepFor(run, needs);
      }
    } else {
      const lasts = !endsBefore(run, reservation);
      const gpus = isDue(run, now) && freeCount >= needs ? backfill(run, needs, lasts, reservation) : null;
      if (gpus !== null) start(run, gpus);
      else wait(run, needs, isDue(run, now) && freeCount >= needs ? KEPT : causeOf(run), reservation.run);
    }
  }
  return round;

  /** What holds a run up whatever is free. Only asked of those whose turn it is: behind a reservation it makes no difference. */
  function heldUp(run: WaitingRun, needs: number): WaitCause | null {
    const { labels, shape } = run;
    const small = ledger.impossible(labels, needs);
    if (small !== null) return { kind: 'quota', quota: small, held: 0 };
    const exceeded = ledger.exceeded(labels, needs, false);
    if (exceeded === null && round.reservation !== null) return null;
    if (!placer.fits(shape, state.usable)) {
      return { kind: 'too_large', usable: usableCount };
    }
    if (exceeded === null) return null;
    ledger.close(labels);
    return { kind: 'quota', ...exceeded };
  }

  function keepFor(run: WaitingRun, needs: number): Reservation {
    ledger.keep(run.labels, needs);
    const planned = reserve(run, free, holding, state);
    const patience = now + state.policy.stopMs;
    if (!isDue(run, now) || (planned.at !== null && planned.at <= patience)) return planned;
    const victims = choosePreemptions(run, free, holding, state);
    if (victims.length === 0) return planned;
    round.preemptions = victims.map(({ id }) => ({ run: id, for: run.id }));
    holding = holding.map((each) => (victims.includes(each) ? { ...each, stopping: true } : each));
    return reserve(run, free, holding, state);
  }

  /** Where nobody knows when the first one starts, nothing can be shown not to delay it. */
  function backfill({ labels, shape }: WaitingRun, needs: number, lasts: boolean, kept: Reservation): GpuSet | null {
    if (kept.at === null || ledger.exceeded(labels, needs, lasts) !== null) return null;
    return placer.choose(shape, lasts ? free & ~kept.gpus : free);
  }

  function causeOf({ notBefore }: WaitingRun): WaitCause {
    return notBefore !== null && notBefore > now ? { kind: 'backoff', until: notBefore } : TOO_FEW;
  }

  function endsBefore({ estimateMs }: WaitingRun, { at }: Reservation): boolean {
    return estimateMs !== null && at !== null && now + estimateMs <= at;
  }
}

const TOO_FEW: WaitCause = { kind: 'gpus' };
const KEPT: WaitCause = { kind: 'reserved' };

/**
 * Priority first, and a point for each `msPerPoint` of waiting. All age alike, so the order of two runs never changes: whoever waits is overtaken only by runs
 * that came less than 100 points later. Cheapest for runs handed in as the last round ordered them.
 */
export function inOrder(waiting: readonly WaitingRun[], { msPerPoint }: SchedulingPolicy): WaitingRun[] {
  const rankOf = ({ priority, queuedAt }: WaitingRun) => priority * msPerPoint - queuedAt;
  const ranked = [...waiting].sort((a, b) => rankOf(b) - rankOf(a) || (a.id < b.id ? -1 : 1));
  return ranked.every(({ after }) => after === null) ? ranked : behindThoseTheyYieldTo(ranked);
}

/** A run that has given its GPUs to one that still waits comes right behind that one, where it would come before it. */
function behindThoseTheyYieldTo(ranked: readonly WaitingRun[]): WaitingRun[] {
  const ids = new Set(ranked.map(({ id }) => id));
  const ordered = new Map<string, WaitingRun>();
  const held = new Map<string, WaitingRun[]>();
  const put = (run: WaitingRun): void => {
    if (ordered.has(run.id)) return;
    ordered.set(run.id, run);
    for (const each of held.get(run.id) ?? []) put(each);
  };
  for (const run of ranked) {
    const { after } = run;
    if (after === null || !ids.has(after) || ordered.has(after)) put(run);
    else held.set(after, [...(held.get(after) ?? []), run]);
  }
  // Two that wait for each other, which should not be, are not lost.
  for (const run of ranked) put(run);
  return [...ordered.values()];
}

function isDue({ notBefore }: WaitingRun, now: number): boolean {
  return notBefore === null || notBefore <= now;
}
