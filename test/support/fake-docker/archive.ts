import { createReadStream, existsSync, type Stats } from 'node:fs';
import { chmod, lstat, mkdir, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join, posix } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { extract, type Pack, pack } from 'tar-stream';
import type { DockerRequest, Reply } from './http.ts';
import { type DaemonState, type FakeContainer, Refusal } from './state.ts';

/** `PUT /containers/{id}/archive`: unpacks into a directory that is there, with the owners and modes of the archive. */
export async function putArchive(state: DaemonState, container: FakeContainer, request: DockerRequest): Promise<Reply> {
  const path = request.query.get('path') ?? '/';
  const place = locate(state, container, path);
  const found = await lstat(place.path).catch(() => null);
  if (found === null) throw notFound(container, path);
  if (!found.isDirectory()) throw new Refusal(400, 'extraction point is not a directory');
  if (place.isReadOnly) {
    const what = place.isVolume ? 'mounted volume' : 'container rootfs';
    throw new Refusal(500, `${what} is marked read-only`);
  }
  const entries = extract();
  const unpacked = (async () => {
    for await (const entry of entries) {
      const { name, type, uid = 0, gid = 0, mode = 0o644, linkname } = entry.header;
      const target = join(place.path, posix.normalize(`/${name}`));
      if (type === 'directory') await mkdir(target, { recursive: true });
      else await mkdir(join(target, '..'), { recursive: true });
      if (type === 'file') {
        await rm(target, { force: true });
        await writeFile(target, await buffer(entry));
      }
      if (type === 'symlink') await symlink(linkname ?? '', target);
      else await chmod(target, mode);
      state.owners.set(target, { uid, gid, mode });
      entry.resume();
    }
  })();
  await Promise.all([pipeline(request.body, entries), unpacked]);
  return { status: 200 };
}

/** `GET` and `HEAD`: a file or directory as a tar whose entries begin with its name. */
export async function getArchive(state: DaemonState, container: FakeContainer, request: DockerRequest): Promise<Reply> {
  const path = request.query.get('path') ?? '/';
  const { path: place } = locate(state, container, path);
  const stats = await lstat(place).catch(() => null);
  if (stats === null) throw notFound(container, path);
  const name = path === '/' ? '/' : basename(path);
  const headers = { 'content-type': 'application/x-tar', 'x-docker-container-path-stat': describe(name, stats) };
  if (request.method === 'HEAD') return { status: 200, headers };
  return {
    status: 200,
    headers,
    stream: async (write) => {
      const tar = pack();
      const sent = (async () => {
        for await (const chunk of tar) write(chunk as Buffer);
      })();
      await add(state, tar, place, name);
      tar.finalize();
      await sent;
    },
  };
}

/** Where a path of a container lies on this machine. */
export function locate(
  state: DaemonState,
  container: FakeContainer,
  path: string,
): { path: string; isVolume: boolean; isReadOnly: boolean } {
  const wanted = posix.normalize(`/${path}`).replace(/(?<=.)\/$/, '');
  const mounts = [...(container.body.HostConfig?.Mounts ?? [])].sort((a, b) => b.Target.length - a.Target.length);
  const mount = mounts.find(({ Target }) => wanted === Target || wanted.startsWith(`${Target}/`));
  if (mount === undefined) {
    const isReadOnly = container.body.HostConfig?.ReadonlyRootfs === true;
    return { path: join(container.root, wanted), isVolume: false, isReadOnly };
  }
  const source = mount.Type === 'volume' ? state.volumes.get(mount.Source ?? '')?.directory : mount.Source;
  const inside = wanted.slice(mount.Target.length);
  return { path: join(source ?? '', inside), isVolume: true, isReadOnly: mount.ReadOnly === true };
}

async function add(state: DaemonState, tar: Pack, path: string, name: string): Promise<void> {
  const stats = await lstat(path);
  const { uid, gid, mode } = state.owners.get(path) ?? { uid: stats.uid, gid: stats.gid, mode: stats.mode };
  const header = { name, uid, gid, mode, mtime: stats.mtime };
  if (stats.isDirectory()) {
    tar.entry({ ...header, name: `${name.replace(/\/$/, '')}/`, type: 'directory' });
    for (const child of await readdir(path)) await add(state, tar, join(path, child), posix.join(name, child));
  } else if (stats.isSymbolicLink()) {
    tar.entry({ ...header, type: 'symlink', linkname: await readlink(path) });
  } else if (stats.isFile() && existsSync(path)) {
    await pipeline(
      createReadStream(path, { end: Math.max(0, stats.size - 1) }),
      tar.entry({ ...header, size: stats.size }),
    );
  }
}

function describe(name: string, stats: Stats): string {
  // Go keeps the kind of a file in high bits of its own.
  const mode = (stats.mode & 0o777) + (stats.isDirectory() ? 2 ** 31 : 0) + (stats.isSymbolicLink() ? 2 ** 27 : 0);
  const told = { name, size: stats.size, mode, mtime: stats.mtime.toISOString(), linkTarget: '' };
  return Buffer.from(JSON.stringify(told)).toString('base64');
}

function notFound({ name }: FakeContainer, path: string): Refusal {
  return new Refusal(404, `Could not find the file ${path} in container ${name}`);
}
