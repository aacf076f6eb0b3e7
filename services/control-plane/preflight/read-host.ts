import { stat, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { arch, release, totalmem, type } from 'node:os';
import { dirname } from 'node:path';
import type { Facts, PortFact, RunKey } from './facts.ts';

const keys: readonly RunKey[] = ['GBOX_API_KEY', 'HF_TOKEN', 'WANDB_API_KEY'];
const LOOK_MS = 2000;

/** What the machine says of itself. */
export function readSystem(): Facts['system'] {
  return { name: type(), release: release(), architecture: arch() };
}

/** Bytes, of the machine: what a container may use is another matter. */
export function readMemory(): number {
  return totalmem();
}

/** What is free for Tandem where these paths are, or will be; paths on one disk count once. */
export async function readDisks(paths: readonly string[]): Promise<Facts['disks']> {
  const found = new Map<string, Facts['disks'][number]>();
  for (const path of paths) {
    const { id, freeBytes } = await readDisk(path);
    if (!found.has(id)) found.set(id, { path, freeBytes });
  }
  return [...found.values()];
}

async function readDisk(path: string): Promise<{ id: string; freeBytes: number }> {
  try {
    const { type: kind, blocks, bsize, bavail, files } = await statfs(path);
    return { id: [kind, blocks, bsize, files].join(), freeBytes: bavail * bsize };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error;
    return readDisk(dirname(path));
  }
}

export function readKeys(environment: Readonly<Record<string, string | undefined>>): Facts['keys'] {
  return Object.fromEntries(keys.map((key) => [key, Boolean(environment[key])])) as Facts['keys'];
}

export async function readAdapters(path: string): Promise<NonNullable<Facts['adapters']>> {
  const found = await stat(path).catch(() => null);
  if (found === null) return { path, kind: 'missing' };
  return { path, kind: found.isDirectory() ? 'directory' : 'other' };
}

/** Whether a program may listen there, and whether one of ours does already. */
export async function readPort(setting: string, port: number): Promise<PortFact> {
  if (await canListen(port)) return { setting, port, state: 'free' };
  return { setting, port, state: (await isOurs(port)) ? 'ours' : 'taken' };
}

function canListen(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Whether what listens there is a control plane, or the MinIO that compose starts beside it. */
async function isOurs(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(LOOK_MS) });
    if (/^MinIO/.test(answer.headers.get('server') ?? '')) return true;
    const body: unknown = await answer.json();
    return typeof body === 'object' && body !== null && 'version' in body;
  } catch {
    return false;
  }
}
