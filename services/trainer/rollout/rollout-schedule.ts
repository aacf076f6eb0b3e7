import type { DataOrder, DataPosition } from '../data/data-order.ts';

/** A task that was given out to be played. */
export interface IssuedTask {
  /** Its place in the data, counted on over epochs, which is also its seed: 25 is the sixth task of the second epoch of 20. */
  readonly place: number;
  /** Its index in the data. */
  readonly index: number;
}

/** The groups of one step. */
export interface TakenGroups<G> {
  /** In the order of their tasks. */
  readonly groups: readonly G[];
  /** Groups that were too old to be learned from; their tasks are played again. */
  readonly dropped: number;
}

/** Where training stands. */
export interface OpenStep {
  /** Steps that are done. */
  readonly step: number;
  /** How many tasks they have used. */
  readonly position: DataPosition;
  readonly stepsLeft: number;
}

/**
 * Which tasks are played when, and which step learns from them, where rollouts go on while the policy is trained. It holds no clock and no promise.
 *
 * The bound on staleness is kept when tasks are given out, as AReaL does (Fu et al., arXiv:2505.24298, 5.1): never more are given out than the open step and the
 * `maxStaleness` after it will use. Groups are taken as they are done, so one that takes long holds up nobody, until so many are in flight that the steps that
 * may still use them could not take them all: then the open step waits.
 */
export interface RolloutSchedule<G> {
  /** The policy as it is after so many steps is served, and the groups that were taken are learned. */
  open(at: OpenStep): void;
  /** Tasks to begin with now. */
  issue(): IssuedTask[];
  /** @param version of the policy that made the group, of several the oldest */
  finished(task: IssuedTask, group: G, version: number): void;
  /**
   * The groups of the open step; null while too few are done, or more are under way than later steps could use in time. What is too old is dropped, and to be issued again.
   * @param version of the policy that will learn from them
   */
  take(version: number): TakenGroups<G> | null;
  /** The groups that were taken last are learned from: from here on they are no part of what is pending. */
  learned(): void;
  /** Places of all tasks that were given out and not learned from, in order: with the data position all there is to go on from. */
  pending(): number[];
  counts(): { readonly inFlight: number; readonly buffered: number };
}

/**
 * @param perStep tasks of a step; the last one of an epoch has fewer
 * @param concurrency tasks in flight at a time
 * @param pending what `pending` gave when the run was left; given out before any other task
 */
export function createRolloutSchedule<G>(params: {
  readonly order: DataOrder;
  readonly perStep: number;
  readonly concurrency: number;
  readonly maxStaleness: number;
  readonly pending: readonly number[];
}): RolloutSchedule<G> {
  const { order, perStep, concurrency, maxStaleness } = params;
  interface Tagged {
    readonly task: IssuedTask;
    /** The step that was open when it was given out. */
    readonly step: number;
  }
  interface Done extends Tagged {
    readonly group: G;
    readonly version: number;
  }
  /** Places to begin with before new ones. */
  let again = [...params.pending];
  const inFlight = new Map<number, Tagged>();
  let buffered: Done[] = [];
  let taken: Done[] = [];
  /** Groups since the last that were taken. */
  let dropped = 0;
  let opened: OpenStep | null = null;
  /** The place of the next new task. */
  let head = 0;
  /** Tasks that may be in flight, buffered or taken. */
  let room = 0;

  function taskAt(place: number): IssuedTask {
    const position = { epoch: Math.floor(place / order.size), offset: place % order.size };
    return { place, index: order.take(position, 1).indices[0]! };
  }

  function requireOpen(): OpenStep {
    if (opened === null) throw new Error('no step is open');
    return opened;
  }

  /** A step never spans two epochs. */
  function tasksOf(used: number): number {
    return Math.min(perStep, order.size - (used % order.size));
  }

  /**
   * Whether more is in flight than the steps after the open one can still use in time: of what was given out by some step, no more than they have tasks, from
   * the next one to the last that may use it.
   * @param used tasks of the epoch that are used after the open step
   */
  function holdsUp(step: number, used: number): boolean {
    let later = 0;
    for (let by = step - maxStaleness; by <= step; by++) {
      const late = [...inFlight.values()].filter((tagged) => tagged.step <= by).length;
      if (late > later) return true;
      later += tasksOf(used + later);
    }
    return false;
  }

  function dropStale(version: number): void {
    const stale = buffered.filter((done) => version - done.version > maxStaleness);
    dropped += stale.length;
    buffered = buffered.filter((done) => !stale.includes(done));
    again = [...again, ...stale.map(({ task }) => task.place)].sort((a, b) => a - b);
  }

  function unlearned(): number {
    return again.length + inFlight.size + buffered.length + taken.length;
  }

  return {
    open(at) {
      opened = at;
      const used = at.position.epoch * order.size + at.position.offset;
      let end = used;
      for (let i = 0; i < Math.min(maxStaleness + 1, at.stepsLeft); i++) end += tasksOf(end);
      room = end - used;
      head = used + unlearned();
    },
    issue() {
      const { step } = requireOpen();
      const tasks: IssuedTask[] = [];
      while (inFlight.size < concurrency && inFlight.size + buffered.length + taken.length < room) {
        const task = taskAt(again.shift() ?? head++);
        inFlight.set(task.place, { task, step });
        tasks.push(task);
      }
      return tasks;
    },
    finished(task, group, version) {
      const tagged = inFlight.get(task.place);
      if (tagged === undefined) throw new Error(`the task at ${task.place} is not in flight`);
      inFlight.delete(task.place);
      buffered.push({ ...tagged, group, version });
    },
    take(version) {
      const { step, position } = requireOpen();
      dropStale(version);
      const count = tasksOf(position.offset);
      if (buffered.length < count || holdsUp(step, position.offset + count)) return null;
      // The sort is stable: of those that were given out at the same step, the first that were done.
      const oldest = [...buffered].sort((a, b) => a.step - b.step);
      taken = oldest.slice(0, count).sort((a, b) => a.task.place - b.task.place);
      buffered = buffered.filter((done) => !taken.includes(done));
      const result = { groups: taken.map(({ group }) => group), dropped };
      dropped = 0;
      return result;
    },
    learned() {
      room -= taken.length;
      taken = [];
    },
    pending() {
      const held = [...inFlight.values(), ...buffered, ...taken].map(({ task }) => task.place);
      return [...again, ...held].sort((a, b) => a - b);
    },
    counts: () => ({ inFlight: inFlight.size, buffered: buffered.length }),
  };
}
