/*
 * What the threads of the engine agree on. Work is cut into chunks, and whoever is free takes the next one, so a thread that starts late, or is kept from
 * its core by somebody else, delays nobody. What a chunk computes does not depend on who does it.
 */

/** Numbers that every thread sees. */
export interface Control {
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Of the job at hand. */
  readonly parameters: Float64Array<SharedArrayBuffer>;
  /** The first error of a thread other than the main one, in UTF-8. */
  readonly message: Uint8Array<SharedArrayBuffer>;
}

/** Places in `Control.words`. */
export const WORD = {
  /** Even: the job below can be worked on. Odd: it is being written. */
  generation: 0,
  /** Which job, by its place in `jobs`. */
  job: 1,
  /** Tickets are counted on from job to job, so that one of a job that is over is never mistaken for one of the next. */
  nextTicket: 2,
  firstTicket: 3,
  chunks: 4,
  done: 5,
  /** Threads that must be woken. */
  sleeping: 6,
  /** 1 while the main thread sleeps until `done` changes. */
  mainSleeps: 7,
  /** Bytes of `message`; 0 as long as nothing failed, -1 while it is being written. */
  failed: 8,
  /** Threads other than the main one that look for work, or sleep until there is some. */
  started: 9,
  /** Counted up by threads in the middle of a chunk that takes long. */
  alive: 10,
} as const;

const WORDS = 16;
export const MOST_PARAMETERS = 32;
const MESSAGE_BYTES = 512;
const BYTES = 4 * WORDS + 8 * MOST_PARAMETERS + MESSAGE_BYTES;

export function createControl(buffer = new SharedArrayBuffer(BYTES)): Control {
  return {
    words: new Int32Array(buffer, 0, WORDS),
    parameters: new Float64Array(buffer, 4 * WORDS, MOST_PARAMETERS),
    message: new Uint8Array(buffer, 4 * WORDS + 8 * MOST_PARAMETERS, MESSAGE_BYTES),
  };
}

/**
 * Which scratch a chunk computes in, so that no two at work at once have the same: each thread has one, or each chunk where there are fewer.
 * @param threads with the main one
 */
export function slotOf(chunk: number, chunks: number, thread: number, threads: number): number {
  return chunks <= threads ? chunk : thread;
}

/** Takes chunks of a job for as long as there are any, and counts each as done, also where `work` throws: then it is `failed` that hears of it. */
export function takeChunks(
  { words }: Control,
  job: { readonly firstTicket: number; readonly chunks: number },
  work: (chunk: number) => void,
  failed: (error: unknown) => void,
): void {
  for (;;) {
    const ticket = Atomics.load(words, WORD.nextTicket);
    const chunk = (ticket - job.firstTicket) >>> 0;
    if (chunk >= job.chunks) return;
    if (Atomics.compareExchange(words, WORD.nextTicket, ticket, (ticket + 1) | 0) !== ticket) continue;
    try {
      work(chunk);
    } catch (error) {
      failed(error);
    }
    Atomics.add(words, WORD.done, 1);
    if (Atomics.load(words, WORD.mainSleeps) === 1) Atomics.notify(words, WORD.done);
  }
}

/**
 * Waits until a word is no longer `value`: awake for so many milliseconds, since being woken takes 50 to 100 microseconds, then asleep.
 * @param asleep told to sleep, for at most `timeout` milliseconds
 * @returns whether it changed
 */
export function waitForChange(
  { words }: Control,
  word: number,
  value: number,
  awakeMs: number,
  asleep: () => void,
): boolean {
  const until = performance.now() + awakeMs;
  do {
    for (let i = 0; i < LOOKS; i++) if (Atomics.load(words, word) !== value) return true;
  } while (performance.now() < until);
  asleep();
  return Atomics.load(words, word) !== value;
}

/** Between two looks at the clock. */
const LOOKS = 64;
