import type { TrackerKind, TrackerStatus } from '../../contracts/tracker.ts';
import type { Sink, SinkTarget } from '../sinks/sink.ts';

/**
 * Another program that shows a run: a sink that tells how far it is. What it has sent it finds out again from what it keeps, never from memory, so
 * that one made anew goes on where the last one was.
 */
export interface Tracker extends Sink {
  kind: TrackerKind;
  /** Whether it talks to a server: then nobody waits for it at the end of a run, and it goes on until that has everything. */
  remote: boolean;
  /** Also of one that is not running, from what it keeps. */
  status(): Promise<TrackerStatus>;
  /** Its loop has ended, whether or not it has sent everything: gives back what it keeps from others. */
  close?(): void;
}

/** null where the spec of the run does not turn it on. Making one touches nothing. */
export type TrackerFactory = (target: SinkTarget) => Tracker | null;
