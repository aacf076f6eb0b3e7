import type { Database } from '../platform/database.ts';
import type { Runtime } from './runtimes/runtime.ts';

/** The process is gone. */
export class Crash extends Error {}

/** For tests. Counts what is persisted and, after the one that is chosen, behaves like a process that is gone: nothing else is read or written. */
export function createCrash(at: number) {
  let persisted = 0;
  let dead = false;
  const alive = () => {
    if (dead) throw new Crash();
  };
  const persist = () => {
    persisted += 1;
    if (persisted !== at) return;
    dead = true;
    throw new Crash();
  };
  const around = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      alive();
      const result = await work(...args);
      persist();
      return result;
    };
  };
  let depth = 0;
  const wrapDatabase = (db: Database): Database => ({
    ...db,
    run: (sql, params) => {
      alive();
      const result = db.run(sql, params);
      if (depth === 0) persist();
      return result;
    },
    transaction: (work) => {
      alive();
      depth += 1;
      let result: ReturnType<typeof work>;
      try {
        result = db.transaction(work);
      } finally {
        depth -= 1;
      }
      if (depth === 0) persist();
      return result;
    },
  });
  const wrapRuntime = (runtime: Runtime): Runtime => ({
    ...runtime,
    observe: async () => {
      alive();
      return await runtime.observe();
    },
    start: around(runtime.start),
    signal: around(runtime.signal),
    remove: around(runtime.remove),
    removeShared: around(runtime.removeShared),
    forgetOutput: around(runtime.forgetOutput),
  });
  return { wrapDatabase, wrapRuntime, isDead: () => dead };
}
