import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The container that a process is in, by its control group: the id that Docker, containerd and Podman put into the path (`docker-<id>.scope`,
 * `/docker/<id>`, `cri-containerd-<id>.scope`, `libpod-<id>.scope`). Null for a process in none.
 */
export function readCgroup(text: string): string | null {
  const ids = text.matchAll(/(?:^|[/-])([0-9a-f]{64})(?=$|[./])/gm);
  return [...ids].at(-1)?.[1] ?? null;
}

/** The container of a process of this machine; null where that cannot be read, as when it has ended or its number is that of another pid namespace. */
export async function containerOf(pid: number, proc = '/proc'): Promise<string | null> {
  const text = await readFile(join(proc, String(pid), 'cgroup'), 'utf8').catch(() => '');
  return readCgroup(text);
}
