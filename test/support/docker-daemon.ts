import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The socket of a real Docker daemon that tests may use, or null: `TANDEM_DOCKER_HOST=unix:///path/to/docker.sock`. */
export function dockerSocket(): string | null {
  const host = process.env['TANDEM_DOCKER_HOST'] ?? '';
  return host.startsWith('unix://') ? host.slice('unix://'.length) : null;
}

/** What the tiny image holds besides a shell. */
const PROGRAMS = [
  '/bin/sh',
  '/bin/cat',
  '/bin/sleep',
  '/bin/chmod',
  '/bin/ls',
  '/bin/stat',
  '/usr/bin/seq',
  '/usr/bin/head',
];

/** Makes an image of this machine's shell and a few programs, since none can be fetched; a few MB, in a second. */
export async function importTinyImage(socketPath: string, reference: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'tiny-image-'));
  try {
    const archive = join(directory, 'image.tar');
    const files = new Set(PROGRAMS);
    for (const program of PROGRAMS) for (const library of await librariesOf(program)) files.add(library);
    // Links are followed, so each is a file of its own under the name that programs look for.
    await run('tar', ['-chf', archive, '-C', '/', ...[...files].map((file) => file.slice(1))]);
    const [repo = '', tag = 'latest'] = reference.split(':');
    await post(socketPath, `/v1.41/images/create?${new URLSearchParams({ fromSrc: '-', repo, tag })}`, archive);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [await realpath(program)]);
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path as string);
}

export async function removeImage(socketPath: string, reference: string): Promise<void> {
  const outgoing = request({ socketPath, path: `/v1.41/images/${reference}?force=1`, method: 'DELETE' });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  response.resume();
}

async function post(socketPath: string, path: string, file: string): Promise<void> {
  const headers = { 'Content-Type': 'application/x-tar' };
  const outgoing = request({ socketPath, path, method: 'POST', headers });
  const [[response]] = await Promise.all([
    once(outgoing, 'response') as Promise<[IncomingMessage]>,
    pipeline(createReadStream(file), outgoing),
  ]);
  const said = await text(response);
  if (response.statusCode !== 200 || said.includes('"error"')) {
    throw new Error(`import of the tiny image: ${response.statusCode} ${said}`);
  }
}
