import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { StepFlops } from './model-flops.ts';
import type { BenchMethod } from './step-shape.ts';

/** What an engine says when its model is loaded. */
export interface EngineStart {
  readonly version: string;
  /** PyTorch's. */
  readonly threads?: number;
  /** Of Tandem's engines. */
  readonly flops?: StepFlops;
}

/** What it says at its end. */
export interface EngineEnd {
  /** Of the process. */
  readonly peakMib: number;
  /** Where the highest tensor ended in the memory of wasm. */
  readonly engineMib?: number | null;
  /** Of an SFT step on wasm. */
  readonly matmulTimeShare?: number | null;
  /** Of the engine's product with a weight, in floating point operations per second. */
  readonly matmulPeak?: number;
}

/** An engine in a process of its own, so that several can take turns and each has its own memory. */
export interface StepProcess extends EngineStart {
  /** Makes a step; gives the loss before it. */
  step(method: BenchMethod): Promise<number>;
  end(): Promise<EngineEnd>;
  /** Kills it, if it is still there. */
  stop(): void;
}

/** @returns why not, where the engine cannot be had. @throws Error when its process ends without an answer. */
export async function startStepProcess(
  command: string,
  args: readonly string[],
): Promise<StepProcess | { readonly why: string }> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (chunk) => {
    complaints = `${complaints}${chunk}`.slice(-2000);
  });
  // A process that is gone is told of by the answer that does not come.
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${command} ${args.join(' ')} ended without an answer: ${complaints}`);
      // Libraries print notes of their own.
      if (value.startsWith('{')) return JSON.parse(value);
    }
  };
  const ask = (line: string) => {
    child.stdin.write(`${line}\n`);
    return answer();
  };
  const start = (await answer()) as EngineStart | { readonly unavailable: string };
  if ('unavailable' in start) return { why: start.unavailable };
  return {
    ...start,
    step: async (method) => ((await ask(method)) as { loss: number }).loss,
    async end() {
      const end = (await ask('end')) as EngineEnd;
      child.stdin.end();
      return end;
    },
    stop: () => void child.kill('SIGKILL'),
  };
}
