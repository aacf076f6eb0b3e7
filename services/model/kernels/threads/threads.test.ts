import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { chunksOf, type PackedProduct, productParameters, scratchFloats } from '../packed-product-chunk.ts';
import { MOST_PAGES } from '../wasm-code.ts';
import { WORD } from './control.ts';
import type { SharedMemory } from './heap-views.ts';
import type { ThreadData } from './thread.main.ts';
import { openThreads, type Threads } from './threads.ts';

const { Memory } = (
  globalThis as unknown as {
    WebAssembly: { Memory: new (size: { initial: number; maximum: number; shared: true }) => SharedMemory };
  }
).WebAssembly;
const memory = new Memory({ initial: 96, maximum: MOST_PAGES, shared: true });

let threads: Threads | undefined;
afterEach(() => threads?.close());

/** One more thread, which says that it is there, takes a chunk as soon as there is one, and then does as `program` says. */
async function openWith(program: string, napMs?: number): Promise<Threads> {
  const started: Worker[] = [];
  const startThread = (data: ThreadData) => {
    const code = `
      const { workerData, parentPort } = require('node:worker_threads');
      const words = new Int32Array(workerData.control, 0, 16);
      const message = new Uint8Array(workerData.control, 64 + 8 * 32);
      parentPort.postMessage('there');
      while (Atomics.load(words, ${WORD.chunks}) === 0 || Atomics.load(words, ${WORD.generation}) % 2 === 1);
      const failed = (text) => { message.set(Buffer.from(text)); Atomics.store(words, ${WORD.failed}, text.length); };
      const take = () => Atomics.add(words, ${WORD.nextTicket}, 1);
      const done = () => { Atomics.add(words, ${WORD.done}, 1); Atomics.notify(words, ${WORD.done}); };
      ${program}`;
    started.push(new Worker(code, { eval: true, workerData: data }));
    return started[0]!;
  };
  threads = openThreads(memory, 2, { startThread, ...(napMs && { napMs }) });
  await once(started[0]!, 'message');
  return threads;
}

/** A product of so many rows, each a chunk, that the other thread gets one, also where it has to wait for a core. */
const ROWS = 2 ** 16;
const product: PackedProduct = {
  ...{ a: 2 ** 20, c: 2 ** 21, rows: ROWS, inner: 1, columns: 8, matrix: 0, panelBytes: 256 },
  ...{ transposed: false, added: false, scale: 1, scratch: 0, chunkRows: 1, chunkPanels: 1 },
};
const work = (on: Threads, places: Partial<PackedProduct> = {}) =>
  on.run('product', productParameters({ ...product, ...places }), ROWS);

test('another thread takes chunks, and uses scratch of its own', async () => {
  threads = openThreads(memory, 2);
  await expect.poll(() => threads!.started()).toBe(2);
  const sizes = { rows: 64, inner: 8, columns: 2 ** 13, transposed: true };
  const scratch = 2 ** 18;
  const panelBytes = 4 * 8 * sizes.columns;
  const [ofMain, ofOther] = [0, 1].map((thread) => {
    const floats = scratchFloats(sizes);
    return new Float32Array(memory.buffer, scratch + 4 * thread * floats, floats).fill(0);
  });
  new Float32Array(memory.buffer, 2 ** 19, sizes.inner * sizes.columns).fill(1);
  const { chunks, ...chunk } = chunksOf(sizes);
  const transposed = { ...product, ...sizes, ...chunk, matrix: 2 ** 19, panelBytes, scratch, c: 2 ** 22 };
  // On a core that others want as well it may miss a job.
  await expect
    .poll(() => {
      threads!.run('product', productParameters(transposed), chunks);
      return [ofMain![0], ofOther![0]];
    })
    .toEqual([1, 1]);
});

test('the error of another thread is the error of the call, once, and after the rest is done', async () => {
  const opened = await openWith(`take(); failed('no such address'); done();`);
  expect(() => work(opened)).toThrow('no such address');
  expect(() => work(opened)).not.toThrow();
});

test('where the main thread fails as well, its error is that of the call, and the next one has none', async () => {
  const opened = await openWith(`take(); failed('no such address'); done();`);
  // The last two rows lie past the memory's end.
  const a = memory.buffer.byteLength - 4 * (ROWS - 2);
  expect(() => work(opened, { a })).toThrow('memory access out of bounds');
  expect(() => work(opened)).not.toThrow();
});

test('a thread that does not go on is an error, now and from then on', async () => {
  const opened = await openWith('take();', 1);
  for (let i = 0; i < 2; i++) {
    expect(() => work(opened)).toThrow('a thread of the engine does not go on; TANDEM_THREADS=1 does without');
  }
});

test('a thread that says it is at work is waited for, however long its chunk takes', async () => {
  const opened = await openWith(
    `take(); for (let i = 0; i < 50; i++) { Atomics.add(words, ${WORD.alive}, 1); Atomics.wait(words, 15, 0, 40); } done();`,
    5,
  );
  expect(() => work(opened)).not.toThrow();
});

test('a thread that ended is an error', async () => {
  const opened = await openWith(`take(); done(); throw new Error('out of memory');`);
  work(opened);
  await expect
    .poll(() => {
      try {
        work(opened);
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    })
    .toBe('a thread of the engine ended: out of memory; TANDEM_THREADS=1 does without');
});
