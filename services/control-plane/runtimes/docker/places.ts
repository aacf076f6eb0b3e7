import { createHash } from 'node:crypto';
import { basename, posix } from 'node:path';

/** Name of the directory with the adapters, in what a pair shares. */
export const ADAPTERS = 'adapters';

/** Where things lie in a container. Each mount is a volume; what belongs to the role's user lies one level below, because a new volume is root's. */
export const places = {
  /** The role's own volume: workspace, home, caches. */
  own: '/tandem/own',
  workspace: '/tandem/own/work',
  home: '/tandem/own/home',
  /** The pair's volume; the trainer writes, the inference server reads. */
  shared: '/tandem/shared',
  adapters: `/tandem/shared/${ADAPTERS}`,
  /** One read-only volume for each model or data set. */
  inputs: '/tandem/inputs',
  compileCache: '/tandem/compile-cache',
} as const;

/** Every role runs as this user: what one of the pair writes the other can read. */
export const roleUser = { uid: 2000, gid: 0 } as const;

/** What trainers find this host by, where their inference server is the user's own. */
export const HOST_ALIAS = 'host.docker.internal';

/** Where an inference server listens, and the name that its trainer finds it by. */
export const inferenceAddress = { host: '0.0.0.0', port: 8000, alias: 'inference' } as const;

const KEY_CHARACTERS = 16;

/** Names the mount of an input: a function of its path alone, whatever it holds. */
export function inputMount(path: string): string {
  return posix.join(places.inputs, hash(path));
}

/** Where a role finds an input of this machine. */
export function seenAt(path: string): string {
  return posix.join(inputMount(path), basename(path));
}

/** A short name for something long. */
export function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, KEY_CHARACTERS);
}
