import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { locate } from './archive.ts';
import { type DaemonState, type FakeContainer, Refusal } from './state.ts';

/**
 * $1: the container's root; $2: its hosts file; $3: `ro` for a read-only root; then triples of source, target and `ro` or `rw`, where a target below a folder
 * of this machine hides nothing else of it; then `--`, the working directory and the command.
 */
const script = `
set -e
root="$1"; hosts="$2"; mode="$3"; shift 3
mount --bind "$root" "$root"
show() {
  if [ -L "$1" ]; then [ -e "$root$1" ] || cp -P "$1" "$root$1"
  elif [ -d "$1" ]; then mkdir -p "$root$1"; mount --rbind "$1" "$root$1"
  elif [ -e "$1" ]; then touch "$root$1"; mount --bind "$1" "$root$1"; fi
}
for top in /*; do
  [ "$top" = /tmp ] && continue
  if [ -d "$root$top" ] && [ "$top" != /etc ] && [ ! -L "$top" ]; then
    for path in "$top"/*; do [ -e "$root$path" ] || show "$path"; done
  else show "$top"; fi
done
mount --bind "$hosts" "$root/etc/hosts"
mount -t tmpfs tmpfs "$root/tmp"
while [ "$1" != -- ]; do
  [ -d "$root$2" ] || mkdir -p "$root$2"
  mount --bind "$1" "$root$2"
  [ "$3" = rw ] || mount -o remount,bind,ro "$root$2"
  shift 3
done
shift
[ "$mode" = rw ] || mount -o remount,bind,ro "$root"
exec chroot "$root" sh -c 'cd "$0" && exec "$@"' "$@"
`;

/** The command that runs `command` with the mounts of a container, and with this machine's programs everywhere else. */
export function namespaceCommand(
  state: DaemonState,
  container: FakeContainer,
  { paths, hosts, command }: { paths: Readonly<Record<string, string>>; hosts: string; command: readonly string[] },
): string[] {
  requireProgram(command[0] ?? '');
  const { Mounts = [], ReadonlyRootfs } = container.body.HostConfig ?? {};
  const mounts = Mounts.map(({ Target, ReadOnly }) => [
    locate(state, container, Target).path,
    Target,
    ReadOnly === true ? 'ro' : 'rw',
  ]);
  const image = Object.entries(paths).map(([target, source]) => [source, target, 'ro']);
  for (const [, target] of image) mkdirSync(join(container.root, target!), { recursive: true });
  const root = [container.root, hosts, ReadonlyRootfs === true ? 'ro' : 'rw'];
  const cwd = container.body.WorkingDir || '/';
  return [
    'unshare',
    '--mount',
    'sh',
    '-c',
    script,
    'sh',
    ...root,
    ...mounts.flat(),
    ...image.flat(),
    '--',
    cwd,
    ...command,
  ];
}

/** The command that runs `command` in what another one has made. */
export function enterNamespace(pid: number, command: readonly string[]): string[] {
  return ['nsenter', '--target', String(pid), '--mount', '--root', '--wd', '--', ...command];
}

/** Rewritten in place, since the files are mounted. */
export function writeHosts(file: string, names: readonly (readonly [address: string, name: string])[]): void {
  const lines = [['127.0.0.1', 'localhost'] as const, ...names].map(([address, name]) => `${address} ${name}\n`);
  writeFileSync(file, lines.join(''));
}

function requireProgram(program: string): void {
  const places = program.includes('/')
    ? [program]
    : (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, program));
  if (places.some(existsSync)) return;
  throw noProgram(program);
}

export function noProgram(program: string): Refusal {
  const reason = `exec: "${program}": executable file not found in $PATH: unknown`;
  return new Refusal(
    400,
    `OCI runtime create failed: runc create failed: unable to start container process: ${reason}`,
  );
}
