import { mkdir, rm, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { cutOutput, OUTPUT_LIMITS, type OutputLimits } from '../../bounded-output.ts';
import { copyLog } from './copy-log.ts';
import type { EngineStreams } from './docker-engine.ts';
import { DockerError } from './docker-error.ts';
import { cursorPath, readCursor, writeCursor } from './log-cursor.ts';

/** Brings what containers print into files; two files for each: `path`, and beside it where it stands (`<path>.cursor`). */
export interface OutputCollector {
  /** Sees to it that what a running container prints comes into the file. To be called again each round: a follower that broke off goes on where it was. */
  follow(container: string, path: string): void;
  /**
   * Everything that an ended container has printed is in the file, cut to its first and last lines if it is long. To be called before the container is
   * removed; of one that is not there the file stays as it is. Does nothing once it is done.
   * @throws DockerError when the daemon cannot be asked; then call it again
   */
  finish(container: string, path: string): Promise<void>;
  /** Ends all followers. The next control plane goes on where they were. */
  close(): Promise<void>;
}

interface Follower {
  stop: AbortController;
  ended: Promise<void>;
}

export function createOutputCollector({
  followLogs,
  tell,
  limits = OUTPUT_LIMITS,
  now = () => performance.now(),
}: {
  followLogs: EngineStreams['followLogs'];
  /** Called with what broke a follower off, besides the end of its container. */
  tell: (container: string, error: unknown) => void;
  limits?: OutputLimits;
  now?: () => number;
}): OutputCollector {
  const followers = new Map<string, Follower>();
  const closing = new AbortController();

  const copy = async (container: string, path: string, follow: boolean, signal: AbortSignal) => {
    const cursor = await readCursor(path);
    if (cursor === 'finished') return;
    await mkdir(dirname(path), { recursive: true });
    const read = (since: string | undefined) => followLogs({ container, since, timestamps: true, follow, signal });
    const bytes = await copyLog({ read, path, cursor, limits, now });
    // What the daemon no longer has may have been longer than what it has.
    if (!follow && bytes !== null) await truncate(path, bytes);
  };

  const end = async (container: string) => {
    const follower = followers.get(container);
    follower?.stop.abort();
    await follower?.ended;
  };

  return {
    follow: (container, path) => {
      if (followers.has(container) || closing.signal.aborted) return;
      const stop = new AbortController();
      const ended = copy(container, path, true, stop.signal)
        .catch((error: unknown) => {
          const gone = error instanceof DockerError && error.kind === 'not_found';
          if (!stop.signal.aborted && !gone) tell(container, error);
        })
        .finally(() => followers.delete(container));
      followers.set(container, { stop, ended });
    },

    finish: async (container, path) => {
      await end(container);
      if ((await readCursor(path)) === 'finished') return;
      try {
        await copy(container, path, false, closing.signal);
      } catch (error) {
        if (!(error instanceof DockerError) || !['not_found', 'failed', 'conflict'].includes(error.kind)) throw error;
        // A log that the daemon cannot read now it cannot read later: what is here has to do.
        if (error.kind !== 'not_found') tell(container, error);
      }
      // Without a cursor a file that is half cut is read anew.
      await rm(cursorPath(path), { force: true });
      await cutOutput(path, limits);
      await writeCursor(path, 'finished');
    },

    close: async () => {
      closing.abort();
      await Promise.all([...followers.keys()].map(end));
    },
  };
}
