import type { LeaseOwner } from './lease.store.ts';

/** Remembers since when programs of an owner were seen to be gone. A process that was just started has seen nothing yet, so it looks at the GPUs anew. */
export function createGoneWatch() {
  let known = new Map<string, number>();
  return {
    /** To be called for each round: `isGone` says it of an owner now. Those that are not asked about are forgotten. */
    round: (owners: readonly LeaseOwner[], isGone: (owner: LeaseOwner) => boolean, now: number): void => {
      known = new Map(owners.filter(isGone).map((owner) => [keyOf(owner), known.get(keyOf(owner)) ?? now]));
    },
    /** Null while a program may be there. */
    since: (owner: LeaseOwner): number | null => known.get(keyOf(owner)) ?? null,
  };
}

export type GoneWatch = ReturnType<typeof createGoneWatch>;

function keyOf({ run, attempt, epoch }: LeaseOwner): string {
  return `${run}.a${attempt} ${epoch}`;
}
