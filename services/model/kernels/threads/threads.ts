import { Worker } from 'node:worker_threads';
import { programFile } from '../../../platform/program-file.ts';
import { createControl, MOST_PARAMETERS, slotOf, takeChunks, WORD, waitForChange } from './control.ts';
import { heapOf, type SharedMemory } from './heap-views.ts';
import { type JobName, jobNames, jobs } from './jobs.ts';
import type { ThreadData } from './thread.main.ts';

/** The threads that work on a memory. */
export interface Threads {
  /** With the main thread. */
  readonly count: number;
  /** How many of them can take chunks by now, with the main thread. */
  started(): number;
  /** How many scratches so many chunks of a job need. */
  slots(chunks: number): number;
  /**
   * Does all chunks of a job and returns when they are done. Their bits do not depend on the number of threads.
   * @throws what a chunk throws; Error where a thread ended, or does not go on
   */
  run(job: JobName, parameters: readonly number[], chunks: number): void;
  /** Ends the others. */
  close(): Promise<void>;
}

const PROGRAM = 'thread.main.js';
/** How long the main thread looks whether the others are done before it sleeps, milliseconds. */
const AWAKE_MS = 0.05;
/** The main thread sleeps so many times without a chunk done, or a sign of one being worked on, before it gives up. Counted, not timed: a process that was stopped goes on where it was. */
const NAPS = 120;

/** What tests replace. */
interface ThreadOptions {
  readonly startThread?: (data: ThreadData) => Worker;
  /** How long the main thread sleeps at most before it looks again, milliseconds. */
  readonly napMs?: number;
}

/** The main thread waits for the others, and nobody for it. */
const nobodyAsks = () => undefined;

const opened = new WeakMap<object, Threads>();

/** The threads of a memory: those that were opened, else the main one alone. */
export function threadsOf(memory: object): Threads {
  return opened.get(memory) ?? openThreads(memory as SharedMemory, 1);
}

/** Opens threads for a memory; they start while the main one goes on, and never keep a process alive. Those it had before are closed. */
export function openThreads(memory: SharedMemory, count: number, options: ThreadOptions = {}): Threads {
  void opened.get(memory)?.close();
  const threads = count === 1 ? alone(memory) : together(memory, count, options);
  opened.set(memory, threads);
  return threads;
}

function alone(memory: SharedMemory): Threads {
  const heap = heapOf(memory);
  return {
    count: 1,
    started: () => 1,
    slots: () => 1,
    run(job, parameters, chunks) {
      for (let chunk = 0; chunk < chunks; chunk++) jobs[job](heap, parameters, chunk, 0, nobodyAsks);
    },
    close: async () => undefined,
  };
}

function together(memory: SharedMemory, count: number, { startThread = start, napMs = 500 }: ThreadOptions): Threads {
  const heap = heapOf(memory);
  const control = createControl();
  const { words, parameters: shared, message } = control;
  let broken: Error | null = null;
  let closing = false;
  const workers = Array.from({ length: count - 1 }, (_, i) => {
    const worker = startThread({ control: words.buffer, memory, thread: i + 1, count });
    worker.unref();
    worker.on('error', (error) => {
      broken ??= new Error(`a thread of the engine ended: ${error.message}; TANDEM_THREADS=1 does without`);
    });
    worker.on('exit', (code) => {
      if (!closing) broken ??= new Error(`a thread of the engine ended with ${code}; TANDEM_THREADS=1 does without`);
    });
    return worker;
  });

  function publish(job: JobName, parameters: readonly number[], chunks: number) {
    if (parameters.length > MOST_PARAMETERS) throw new RangeError(`${job} has ${parameters.length} parameters`);
    const firstTicket = Atomics.load(words, WORD.nextTicket);
    Atomics.add(words, WORD.generation, 1);
    shared.set(parameters);
    Atomics.store(words, WORD.job, jobNames.indexOf(job));
    Atomics.store(words, WORD.firstTicket, firstTicket);
    Atomics.store(words, WORD.chunks, chunks);
    Atomics.store(words, WORD.done, 0);
    Atomics.add(words, WORD.generation, 1);
    if (Atomics.load(words, WORD.sleeping) > 0) Atomics.notify(words, WORD.generation);
    return { firstTicket, chunks };
  }

  function waitForOthers(chunks: number): void {
    for (let [idle, signs] = [0, 0]; idle < NAPS; ) {
      const done = Atomics.load(words, WORD.done);
      if (done === chunks) return;
      const nap = () => {
        Atomics.store(words, WORD.mainSleeps, 1);
        Atomics.wait(words, WORD.done, done, napMs);
        Atomics.store(words, WORD.mainSleeps, 0);
      };
      const changed = waitForChange(control, WORD.done, done, AWAKE_MS, nap);
      const alive = Atomics.load(words, WORD.alive);
      idle = changed || alive !== signs ? 0 : idle + 1;
      signs = alive;
    }
    broken = new Error('a thread of the engine does not go on; TANDEM_THREADS=1 does without');
    throw broken;
  }

  return {
    count,
    started: () => 1 + Atomics.load(words, WORD.started),
    slots: (chunks) => Math.max(1, Math.min(count, chunks)),
    run(job, parameters, chunks) {
      if (broken) throw broken;
      const own: unknown[] = [];
      const work = (chunk: number) => jobs[job](heap, parameters, chunk, slotOf(chunk, chunks, 0, count), nobodyAsks);
      if (chunks === 1) return work(0);
      const order = publish(job, parameters, chunks);
      takeChunks(control, order, work, (error) => own.push(error));
      waitForOthers(chunks);
      // Of this job, whoever failed first: the next one begins without it.
      const failed = Atomics.exchange(words, WORD.failed, 0);
      if (own.length > 0) throw own[0];
      if (failed > 0) throw new Error(new TextDecoder().decode(message.slice(0, failed)));
    },
    async close() {
      closing = true;
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

function start(data: ThreadData): Worker {
  return new Worker(programFile(import.meta.url, PROGRAM), { workerData: data });
}
