import type { GpuQueueState, Quota, Round } from './gpu-queue.ts';

/** Why each run waits, in the order of `round.waits`: what it needs, what is free, behind whom, until about when. */
export function explainWaits(round: Round, state: GpuQueueState): string[] {
  const kept = state.quarantined === 0 ? '' : `, ${state.quarantined} quarantined`;
  const behind = explainBehind(round, state);
  return round.waits.map((wait) => {
    const { cause, needs, free } = wait;
    if (cause.kind === 'too_large') {
      return `needs ${needs}, ${cause.usable} usable${kept}; waits for GPUs to come back`;
    }
    if (cause.kind === 'quota') return `needs ${needs}; ${showQuota(cause.quota, cause.held, needs)}`;
    const order = wait.behind === null ? explainFirst(wait.run, round, state) : behind;
    if (cause.kind === 'backoff') return `restarts in ${span(cause.until - state.now)} after a failure; ${order}`;
    return `needs ${needs}, free ${free}${kept}${cause.kind === 'reserved' ? ', but kept' : ''}; ${order}`;
  });
}

function explainFirst(run: string, { reservation, preemptions }: Round, { now }: GpuQueueState): string {
  const asked = preemptions.filter((each) => each.for === run).map((each) => each.run);
  const who = asked.length === 0 ? '' : `, ${asked.join(', ')} asked to save and stop`;
  if (reservation?.at == null) return `first in line${who}, when is not known: a run that holds GPUs tells no end`;
  return `first in line${who}, ${about(reservation.at, now)}`;
}

function explainBehind({ reservation }: Round, { now }: GpuQueueState): string {
  if (reservation === null) return '';
  if (reservation.at === null) return `behind ${reservation.run}, whose start nobody knows`;
  return `behind ${reservation.run}, which starts ${about(reservation.at, now)}`;
}

function showQuota({ label, value, gpus }: Quota, held: number, needs: number): string {
  const name = value === null ? `each ${label}` : `${label}=${value}`;
  if (needs > gpus) return `${name} may hold ${gpus} at a time: it can never start`;
  return `${name} may hold ${gpus} at a time and holds ${held}${held + needs <= gpus ? ', an earlier run waits for them' : ''}`;
}

function about(at: number, now: number): string {
  return at <= now ? 'any moment now' : `in about ${span(at - now)}`;
}

/** Two figures are all that an estimate is good for. */
function span(ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
