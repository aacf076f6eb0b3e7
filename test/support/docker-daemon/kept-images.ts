import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type DockerDaemon, startDockerDaemon } from './docker-daemon.ts';

/** Layers never change once they are there, so links to their files are enough; the register of images is written to. */
const LAYERS = 'overlay2';
const REGISTER = 'image';

/**
 * Starts a daemon that has the images of the last one, on which `make` brings those that it lacks. What that made anew is there for the next: several
 * tests need our own image, and a build costs half a minute of processor time. One starts at a time, so that the others find what the first has built.
 */
export async function startDaemonWithImages(make: (daemon: DockerDaemon) => void): Promise<DockerDaemon> {
  const cache = process.env['TANDEM_TEST_CACHE'] ?? join(homedir(), '.cache/tandem-test');
  const kept = join(cache, 'docker-images');
  mkdirSync(cache, { recursive: true });
  const unlock = await lock(`${kept}.lock`);
  let daemon: DockerDaemon | undefined;
  try {
    daemon = await startDockerDaemon({ prepare: (data) => take(kept, data) });
    const before = imagesOf(daemon);
    make(daemon);
    if (imagesOf(daemon) !== before) {
      daemon.docker('image', 'prune', '--force');
      keep(daemon.dataRoot, kept);
    }
    return daemon;
  } catch (error) {
    await daemon?.close();
    throw error;
  } finally {
    unlock();
  }
}

const imagesOf = (daemon: DockerDaemon) => daemon.docker('images', '--quiet', '--no-trunc');

function take(kept: string, data: string): void {
  if (!existsSync(kept)) return;
  mkdirSync(data, { recursive: true });
  link(join(kept, LAYERS), join(data, LAYERS));
  cpSync(join(kept, REGISTER), join(data, REGISTER), { recursive: true, preserveTimestamps: true });
}

/** Nothing, where the daemon stores images another way. No container is running: there are no layers but those of images. */
function keep(data: string, kept: string): void {
  if (![LAYERS, REGISTER].every((name) => existsSync(join(data, name)))) return;
  const made = `${kept}.new`;
  for (const left of [made, `${kept}.old`]) rmSync(left, { recursive: true, force: true });
  mkdirSync(made);
  link(join(data, LAYERS), join(made, LAYERS));
  cpSync(join(data, REGISTER), join(made, REGISTER), { recursive: true, preserveTimestamps: true });
  if (existsSync(kept)) renameSync(kept, `${kept}.old`);
  renameSync(made, kept);
  rmSync(`${kept}.old`, { recursive: true, force: true });
}

/** A tree of links to the same files, or a copy where the two lie on different disks. */
function link(from: string, to: string): void {
  const copy = (how: string) => execFileSync('cp', [how, from, to], { stdio: 'pipe' });
  try {
    copy('-al');
  } catch {
    rmSync(to, { recursive: true, force: true });
    copy('-a');
  }
}

/** Waits until nobody else has it. It is let go by the function that is returned, and by the end of this process. */
async function lock(file: string): Promise<() => void> {
  const holder = spawn('flock', [file, 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  holder.stdin.write('mine\n');
  await once(holder.stdout, 'data');
  return () => holder.stdin.end();
}
