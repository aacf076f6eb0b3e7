import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system of its own, of a few MiB. */
export interface SmallDisk {
  path: string;
  /** Takes all the space that is left, but for so many bytes. */
  fill(leave?: number): void;
  /** Gives it back. */
  free(): void;
  readOnly(): void;
  dispose(): void;
}

/** Why no disk can be mounted here, to name a test that is skipped; null where it can. */
export const noMounts: string | null = tryMount();

export function mountSmallDisk(size: string): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'tandem-disk-'));
  run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tandem-test', path);
  const filler = join(path, '.filler');
  return {
    path,
    fill(leave = 0) {
      const piece = Buffer.alloc(4096, 1);
      try {
        for (;;) writeFileSync(filler, piece, { flag: 'a' });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
      if (leave > 0) truncateSync(filler, Math.max(0, statSync(filler).size - leave));
    },
    free: () => rmSync(filler, { force: true }),
    readOnly: () => run('mount', '-o', 'remount,ro', path),
    dispose() {
      // What still has a file open there must not keep the directory.
      run('umount', '--lazy', path);
      rmSync(path, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function tryMount(): string | null {
  if (process.getuid?.() !== 0) return 'only root can mount a small disk';
  const path = mkdtempSync(join(tmpdir(), 'tandem-disk-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tandem-test', path]);
  if (status === 0) spawnSync('umount', [path]);
  rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  return status === 0 ? null : 'this machine lets nobody mount a small disk';
}

function run(command: string, ...options: string[]): void {
  const { status, stderr } = spawnSync(command, options, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${options.join(' ')}: ${stderr}`);
}
