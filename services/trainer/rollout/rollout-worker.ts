import { setMaxListeners } from 'node:events';
import { setTimeout as sleep, setImmediate as turnOfLoop } from 'node:timers/promises';
import type { RolloutsProgress } from '../../contracts/record.ts';
import type { ExampleSource } from '../data/example-source.ts';
import type { PromptExample } from '../data/readers/prompt-reader.ts';
import { type Environment, playTask, type RolloutGroup, taskSeed } from './collect-rollouts.ts';
import type { IssuedTask, OpenStep, RolloutSchedule, TakenGroups } from './rollout-schedule.ts';

/** Keeps rollouts in flight while the policy is trained; `RolloutSchedule` says which. */
export interface RolloutWorker {
  /** Begins with what may begin once the policy of this step is served. */
  open(at: OpenStep): void;
  /**
   * Waits for the groups of the open step.
   * @throws what went wrong in any rollout, as it does where nothing goes on beside it, or the reason of the stop
   */
  take(version: number): Promise<TakenGroups<RolloutGroup>>;
  /**
   * To be waited for before the thread computes for long, as nothing here moves meanwhile: what has come back is taken in, and all that may be in flight is sent. A task that
   * is not would be the server's only after the computation.
   */
  turn(): Promise<void>;
  progress(): RolloutsProgress;
  /** Milliseconds, in all, without a rollout in flight. */
  idleMs(): number;
  /** Gives up what is in flight. */
  close(): void;
}

/** How often it is looked whether the server is there. */
const LOOK_EVERY_MS = 1000;
/** In which answers that have come are read and scored, and requests are sent by connections that are made first. */
const TURN_MS = 3;

/**
 * @param serverLost whether completions wait for a server that has to be found again
 * @param stopping gives everything up when it is aborted
 * @param onChange called when what it does has changed
 */
export function createRolloutWorker(params: {
  readonly schedule: RolloutSchedule<RolloutGroup>;
  readonly environment: Environment;
  readonly tasks: ExampleSource<PromptExample>;
  readonly rollouts: number;
  readonly seed: number;
  readonly serverLost: () => boolean;
  readonly stopping: AbortSignal;
  readonly onGroup: (group: RolloutGroup) => void;
  readonly onChange: (progress: RolloutsProgress) => void;
  readonly now: () => number;
}): RolloutWorker {
  const { schedule, environment, tasks, stopping, now } = params;
  const giveUp = new AbortController();
  // Every request in flight listens.
  setMaxListeners(0, giveUp.signal);
  let failure: { readonly error: unknown } | null = null;
  let wake: () => void = () => {};
  let told: RolloutsProgress['state'] = 'waiting_for_trainer';
  let idleMs = 0;
  let idleSince: number | null = null;
  /** Tasks that were given out and are read from the data. */
  const reading = new Set<Promise<unknown>>();
  const look = setInterval(lookAgain, LOOK_EVERY_MS).unref();
  const stop = () => fail(stopping.reason);
  if (stopping.aborted) stop();
  else stopping.addEventListener('abort', stop, { once: true });

  function begin(): void {
    if (failure !== null) return;
    const issued = schedule.issue();
    // Read together, which takes as long as reading one.
    const read = issued.length === 0 ? null : readTasks(issued);
    for (const [i, task] of issued.entries()) {
      const example = read!.then((examples) => examples[i]!);
      void play(task, example).then(begin).catch(fail).finally(noteIdle);
    }
    noteIdle();
    tellChange();
  }

  function readTasks(issued: readonly IssuedTask[]): Promise<readonly PromptExample[]> {
    const read = tasks.take(issued.map(({ index }) => index));
    reading.add(read);
    void read.catch(() => undefined).finally(() => reading.delete(read));
    return read;
  }

  /** Ends early when all is given up. */
  async function rowsRead(): Promise<void> {
    let onAbort: () => void = () => {};
    const over = new Promise<void>((resolve) => {
      onAbort = resolve;
    });
    giveUp.signal.addEventListener('abort', onAbort, { once: true });
    while (reading.size > 0 && failure === null) await Promise.race([Promise.allSettled(reading), over]);
    giveUp.signal.removeEventListener('abort', onAbort);
  }

  async function play(issued: IssuedTask, example: Promise<PromptExample>): Promise<void> {
    const task = await example;
    const seed = taskSeed(params.seed, ['rollout-ahead'], issued.place);
    const group = await playTask(environment, task, { count: params.rollouts, seed, signal: giveUp.signal });
    schedule.finished(issued, group, Math.min(...group.rollouts.map(({ version }) => version)));
    params.onGroup(group);
    wake();
  }

  function fail(error: unknown): void {
    failure ??= { error };
    giveUp.abort(error);
    wake();
  }

  function noteIdle(): void {
    const idle = schedule.counts().inFlight === 0;
    if (idle) idleSince ??= now();
    else if (idleSince !== null) {
      idleMs += now() - idleSince;
      idleSince = null;
    }
  }

  function progress(): RolloutsProgress {
    const { inFlight, buffered } = schedule.counts();
    const busy = params.serverLost() ? 'waiting_for_server' : 'generating';
    return { state: inFlight === 0 ? 'waiting_for_trainer' : busy, in_flight: inFlight, buffered };
  }

  function tellChange(): void {
    const current = progress();
    if (current.state === told) return;
    told = current.state;
    params.onChange(current);
  }

  /** What a timer throws would end the process. */
  function lookAgain(): void {
    try {
      tellChange();
    } catch (error) {
      fail(error);
    }
  }

  return {
    open(at) {
      schedule.open(at);
      begin();
    },
    async take(version) {
      for (;;) {
        if (failure !== null) throw failure.error;
        const changed = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const taken = schedule.take(version);
        // What was dropped is played again.
        begin();
        if (taken !== null) return taken;
        await changed;
      }
    },
    async turn() {
      await sleep(TURN_MS);
      if (reading.size > 0) {
        await rowsRead();
        await sleep(TURN_MS);
      }
      await turnOfLoop();
    },
    progress,
    idleMs: () => idleMs + (idleSince === null ? 0 : now() - idleSince),
    close() {
      clearInterval(look);
      stopping.removeEventListener('abort', stop);
      fail(new Error('the rollouts were given up'));
    },
  };
}
