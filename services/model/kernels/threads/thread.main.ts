import { workerData } from 'node:worker_threads';
import { type Control, createControl, slotOf, takeChunks, WORD, waitForChange } from './control.ts';
import { heapOf, type SharedMemory } from './heap-views.ts';
import { jobNames, jobs } from './jobs.ts';

/** What a thread is given. */
export interface ThreadData {
  readonly control: SharedArrayBuffer;
  readonly memory: SharedMemory;
  /** From 1; the main thread is 0. */
  readonly thread: number;
  /** How many there are, with the main thread. */
  readonly count: number;
}

/** How long a thread looks for more work before it sleeps: longer than what the main thread does by itself between two products. Milliseconds. */
const AWAKE_MS = 1;

const { control: buffer, memory, thread, count } = workerData as ThreadData;
const control = createControl(buffer);
const heap = heapOf(memory);
const { words, parameters } = control;
const alive = () => void Atomics.add(words, WORD.alive, 1);

Atomics.add(words, WORD.started, 1);
for (let generation = 0; ; ) {
  generation = nextGeneration(generation);
  // arm64 may do plain reads after the second look at the generation; these are done before it.
  const job = jobs[jobNames[Atomics.load(words, WORD.job)]!];
  const order = { firstTicket: Atomics.load(words, WORD.firstTicket), chunks: Atomics.load(words, WORD.chunks) };
  const own = Array.from(parameters);
  // Where the next job was being written meanwhile, this one is over, and what was read is of neither.
  if (Atomics.load(words, WORD.generation) !== generation) continue;
  takeChunks(
    control,
    order,
    (chunk) => job(heap, own, chunk, slotOf(chunk, order.chunks, thread, count), alive),
    (error) => report(control, error),
  );
}

/** The number of a job that can be worked on and was not seen yet. */
function nextGeneration(seen: number): number {
  for (let generation = seen; ; generation = Atomics.load(words, WORD.generation)) {
    if (generation !== seen && generation % 2 === 0) return generation;
    waitForChange(control, WORD.generation, generation, AWAKE_MS, () => {
      Atomics.add(words, WORD.sleeping, 1);
      Atomics.wait(words, WORD.generation, generation);
      Atomics.sub(words, WORD.sleeping, 1);
    });
  }
}

function report({ message }: Control, error: unknown): void {
  if (Atomics.compareExchange(words, WORD.failed, 0, -1) !== 0) return;
  const text = new TextEncoder()
    .encode(error instanceof Error ? error.message : String(error))
    .subarray(0, message.length);
  message.set(text);
  Atomics.store(words, WORD.failed, Math.max(1, text.length));
}
