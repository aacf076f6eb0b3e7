/** Whose requests wait for their turn: each kind gets as much as the others while they all wait. */
export type Lane = 'rollout' | 'evaluation';

/** Lets requests to the server, so that no more than a number of sequences is there at a time. */
export interface RequestGate {
  /** Does the work once there is room for its `sequences`. @throws what it throws, or the signal's reason */
  pass<T>(lane: Lane, sequences: number, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

interface Waiting {
  readonly sequences: number;
  readonly admit: () => void;
}

/** @param limit sequences at a time; a request for more of them goes alone */
export function createRequestGate(limit: number): RequestGate {
  const lanes = new Map<Lane, Waiting[]>();
  /** Sequences that each kind has had: the one with fewest is next. Who comes back is not owed what it did not ask for. */
  const had = new Map<Lane, number>();
  let inside = 0;

  function admit(): void {
    for (let lane = nextLane(); lane !== null; lane = nextLane()) {
      const [first] = lanes.get(lane)!;
      if (inside > 0 && inside + first!.sequences > limit) return;
      lanes.get(lane)!.shift();
      inside += first!.sequences;
      had.set(lane, (had.get(lane) ?? 0) + first!.sequences);
      first!.admit();
    }
  }

  function nextLane(): Lane | null {
    let next: Lane | null = null;
    for (const [lane, { length }] of lanes) {
      if (length > 0 && (next === null || (had.get(lane) ?? 0) < (had.get(next) ?? 0))) next = lane;
    }
    return next;
  }

  /** By those who wait. */
  function fewestHad(): number {
    const next = nextLane();
    return next === null ? 0 : (had.get(next) ?? 0);
  }

  function wait(lane: Lane, sequences: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const queue = lanes.get(lane) ?? [];
      lanes.set(lane, queue);
      if (queue.length === 0) had.set(lane, Math.max(had.get(lane) ?? 0, fewestHad()));
      const waiting: Waiting = {
        sequences,
        admit() {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = () => {
        queue.splice(queue.indexOf(waiting), 1);
        reject(signal.reason);
        admit();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      queue.push(waiting);
      admit();
    });
  }

  return {
    async pass(lane, sequences, signal, work) {
      await wait(lane, sequences, signal);
      try {
        return await work();
      } finally {
        inside -= sequences;
        admit();
      }
    },
  };
}
