import { Worker } from 'node:worker_threads';
import { programFile } from '../../platform/program-file.ts';
import type { DrawReply, DrawRequest } from './draw-messages.ts';
import type { Plot } from './plot.ts';

/** Draws pictures on a thread of its own, which is started when it is first needed and ended when it is not. */
export interface Drawing {
  /** @throws Error when it takes longer than `limitMs`, or fails */
  svg(plots: readonly Plot[]): Promise<string[]>;
  png(plot: Plot): Promise<Uint8Array>;
  close(): Promise<void>;
}

interface Waiting {
  resolve: (pictures: readonly (string | Uint8Array)[]) => void;
  reject: (error: Error) => void;
  limit: NodeJS.Timeout;
}

const PROGRAM = 'draw.main.js';
/** A picture takes a tenth of a second; what takes this long hangs. */
const LIMIT_MS = 30_000;
/** How long a thread with nothing to do is kept: it holds some 60 MiB. */
const IDLE_MS = 60_000;

export function createDrawing({
  limitMs = LIMIT_MS,
  idleMs = IDLE_MS,
}: {
  limitMs?: number;
  idleMs?: number;
} = {}): Drawing {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | null = null;
  let idle: NodeJS.Timeout | undefined;
  let last = 0;

  function settle(id: number): Waiting | undefined {
    const found = waiting.get(id);
    waiting.delete(id);
    clearTimeout(found?.limit);
    if (waiting.size === 0) idle = setTimeout(() => void end('it was not needed any more'), idleMs).unref();
    return found;
  }

  async function end(why: string): Promise<void> {
    const ending = worker;
    worker = null;
    clearTimeout(idle);
    for (const id of [...waiting.keys()]) settle(id)?.reject(new Error(`the thread that draws is gone: ${why}`));
    clearTimeout(idle);
    await ending?.terminate();
  }

  function start(): Worker {
    const started = new Worker(programFile(import.meta.url, PROGRAM));
    // Whoever asked waits for the picture; the process does not.
    started.unref();
    started.on('message', (reply: DrawReply) => {
      const found = settle(reply.id);
      if ('failure' in reply) found?.reject(new Error(`a picture cannot be drawn: ${reply.failure}`));
      else found?.resolve(reply.pictures);
    });
    const gone = (why: string) => {
      if (worker === started) void end(why);
    };
    started.on('error', (error) => gone(String(error)));
    started.on('exit', (code) => gone(`it ended with ${code}`));
    return started;
  }

  const draw = (plots: readonly Plot[], format: DrawRequest['format']) =>
    new Promise<readonly (string | Uint8Array)[]>((resolve, reject) => {
      clearTimeout(idle);
      worker ??= start();
      const id = ++last;
      const limit = setTimeout(() => void end(`a picture took longer than ${limitMs} ms`), limitMs).unref();
      waiting.set(id, { resolve, reject, limit });
      worker.postMessage({ id, plots, format } satisfies DrawRequest);
    });

  return {
    svg: async (plots) => (plots.length === 0 ? [] : ((await draw(plots, 'svg')) as string[])),
    png: async (plot) => (await draw([plot], 'png'))[0] as Uint8Array,
    close: () => end('the control plane ends'),
  };
}
