import type { Logger } from '../../../platform/logger.ts';
import type { ObservedRole } from '../runtime.ts';
import { parseRoleName } from '../runtime.ts';
import type { DockerEngine } from './engine/docker-engine.ts';

export interface ExitsOptions {
  engine: DockerEngine;
  /** Told that a container has ended. */
  changed: () => void;
  log: Logger;
}

/** Who waits for which container, and the codes of those that are gone. */
export interface Exits {
  /** Waits for its next end; resolves once the daemon has taken note of that. Does nothing when it is waited for already. */
  watch(container: string): Promise<void>;
  /** Containers that ended while they were waited for and were removed by somebody else since. */
  vanished(present: ReadonlySet<string>): ObservedRole[];
  forget(container: string): void;
  close(): void;
}

/**
 * One waiting request for each running container, made before it is started. An end is then seen at once, and its code is known even when somebody removes
 * the container before it could be looked at. What is observed stays the truth: a wait that breaks is made again at the next look.
 */
export function createExits({ engine, changed, log }: ExitsOptions): Exits {
  const waiting = new Map<string, Promise<void>>();
  const codes = new Map<string, number>();
  const closing = new AbortController();

  const wait = async (container: string): Promise<void> => {
    const { exited } = await engine.waitForExit({ container, condition: 'next-exit', signal: closing.signal });
    void exited
      .then(({ exitCode }) => {
        codes.set(container, exitCode);
        changed();
      })
      .catch((error: unknown) => {
        if (!closing.signal.aborted)
          log.warn(`The wait for the end of ${container} broke; it is waited for again.`, { error });
      })
      .finally(() => waiting.delete(container));
  };

  return {
    watch: (container) => {
      const known = waiting.get(container);
      if (known !== undefined) return known;
      const begun = wait(container);
      waiting.set(container, begun);
      begun.catch(() => waiting.delete(container));
      return begun;
    },
    vanished: (present) =>
      [...codes]
        .filter(([container]) => !present.has(container))
        .flatMap(([container, exitCode]): ObservedRole[] => {
          const identity = parseRoleName(container.replace(/^tandem-[^-]+-/, ''));
          return identity === null ? [] : [{ identity, state: 'exited', exitCode, pid: null, rebooted: false }];
        }),
    forget: (container) => void codes.delete(container),
    close: () => closing.abort(),
  };
}
