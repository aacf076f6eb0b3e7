import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

const MAX_BYTES = 16 * 1024 * 1024;

export interface ProgramAnswer {
  /** Null when a signal ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A program did not answer; the message is the rest of a sentence that begins with its name and arguments. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';
}

export interface Program {
  /**
   * Runs it and gives what it printed, whatever its exit code.
   * @throws ProgramError when it does not start, takes too long or prints too much; it is killed then, and not waited for
   */
  run(args: readonly string[], signal: AbortSignal): Promise<ProgramAnswer>;
}

export interface ProgramOptions {
  path: string;
  environment: Readonly<Record<string, string | undefined>>;
  timeoutMs: number;
}

/**
 * A program that may hang. One that waits in the kernel cannot be killed at once; until it is gone no other is started, so that they do not pile up.
 */
export function createProgram({ path, environment, timeoutMs }: ProgramOptions): Program {
  const stuck = new Set<ChildProcess>();
  // It needs no secrets.
  const { PATH, LD_LIBRARY_PATH } = environment;
  const env = { ...(PATH && { PATH }), ...(LD_LIBRARY_PATH && { LD_LIBRARY_PATH }), LC_ALL: 'C' };
  return {
    run: (args, signal) =>
      new Promise((resolve, reject) => {
        const [held] = stuck;
        if (held !== undefined) {
          reject(
            new ProgramError(
              `was not started: process ${held.pid}, the same program, hangs; dmesg may say what it waits for`,
            ),
          );
          return;
        }
        if (signal.aborted) {
          reject(new ProgramError('was not started: the control plane ends'));
          return;
        }
        const child: ChildProcess = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
        const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
        let bytes = 0;
        const settle = (then: () => void) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
          then();
        };
        const giveUp = (why: string) =>
          settle(() => {
            // One that has ended may still be waited for, when a program that it started holds its output.
            if (child.exitCode === null && child.signalCode === null) {
              stuck.add(child);
              child.once('exit', () => stuck.delete(child));
              child.kill('SIGKILL');
            }
            child.stdout?.destroy();
            child.stderr?.destroy();
            child.unref();
            reject(new ProgramError(why));
          });
        const timer = setTimeout(
          () => giveUp(`took longer than ${timeoutMs / 1000} s and was killed; dmesg may say what it waits for`),
          timeoutMs,
        );
        const onAbort = () => giveUp('was ended with the control plane');
        signal.addEventListener('abort', onAbort);
        child.on('error', (error: NodeJS.ErrnoException) =>
          settle(() =>
            reject(
              new ProgramError(`does not start (${error.code ?? error.message}); see whether the driver is installed`),
            ),
          ),
        );
        // There are none when this process has no file descriptor left.
        for (const name of ['stdout', 'stderr'] as const) {
          child[name]?.on('data', (chunk: Buffer) => {
            output[name].push(chunk);
            bytes += chunk.length;
            if (bytes > MAX_BYTES) giveUp(`printed more than ${MAX_BYTES / 1024 / 1024} MiB and was killed`);
          });
        }
        child.once('close', (code) =>
          settle(() =>
            resolve({
              code,
              stdout: Buffer.concat(output.stdout).toString('utf8'),
              stderr: Buffer.concat(output.stderr).toString('utf8'),
            }),
          ),
        );
      }),
  };
}

/** Where in the directories of `PATH` a program is; null when it is in none. */
export async function findProgram(name: string, path: string | undefined): Promise<string | null> {
  for (const directory of (path ?? '').split(delimiter).filter((entry) => entry !== '')) {
    const file = join(directory, name);
    const usable = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (usable) return file;
  }
  return null;
}
