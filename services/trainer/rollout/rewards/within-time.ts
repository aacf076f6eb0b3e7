import { createContext, Script } from 'node:vm';

const script = new Script('work()');
const held: { work: () => unknown } = { work: () => undefined };
const context = createContext(held);

/**
 * Runs synchronous work and ends it after `milliseconds`, even in the middle of a regular expression that backtracks: V8 looks for the end of a script's time
 * there too.
 *
 * @throws Error with the code `ERR_SCRIPT_EXECUTION_TIMEOUT`, or what `work` throws
 */
export function withinTime<T>(milliseconds: number, work: () => T): T {
  held.work = work;
  try {
    return script.runInContext(context, { timeout: milliseconds }) as T;
  } finally {
    held.work = () => undefined;
  }
}

export function isTimeUp(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}
