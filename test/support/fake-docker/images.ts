import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { emitEvent } from './events.ts';
import type { DockerRequest, Reply } from './http.ts';
import { type DaemonState, Refusal } from './state.ts';

/** An image that can be pulled: its layers, and with `error` how the pull fails after them. */
export interface RegistryImage {
  layers: readonly { id: string; size: number }[];
  env?: readonly string[];
  labels?: Record<string, string>;
  error?: string;
  /** Milliseconds between two lines of progress; 0 when absent. */
  pace?: number;
}

export function addImage(
  state: DaemonState,
  reference: string,
  image: { env?: readonly string[]; labels?: Record<string, string> } = {},
): void {
  const id = `sha256:${createHash('sha256').update(reference).digest('hex')}`;
  const path = 'PATH=/usr/local/bin:/usr/bin:/bin';
  state.images.set(withTag(reference), { id, env: [path, ...(image.env ?? [])], labels: image.labels ?? {} });
}

export function findImage(state: DaemonState, reference: string) {
  return state.images.get(withTag(reference)) ?? [...state.images.values()].find(({ id }) => id === reference);
}

export function inspectImage(state: DaemonState, reference: string): Reply {
  const image = findImage(state, reference);
  if (image === undefined) {
    throw new Refusal(404, `no such image: ${reference}: No such image: ${withTag(reference)}`);
  }
  const isDigest = reference.includes('@');
  const json = {
    Id: image.id,
    RepoTags: isDigest ? [] : [withTag(reference)],
    RepoDigests: isDigest ? [reference] : [],
    Created: '2026-01-01T00:00:00Z',
    Size: 0,
    Architecture: 'amd64',
    Os: 'linux',
    Config: { Env: image.env, Labels: image.labels, Cmd: null, Entrypoint: null },
  };
  return { status: 200, json };
}

/** `POST /images/create`: a line of JSON for each step of each layer; an error among them comes with status 200. */
export function pullImage(state: DaemonState, registry: Map<string, RegistryImage>, { query }: DockerRequest): Reply {
  const name = query.get('fromImage') ?? '';
  const tag = query.get('tag') ?? '';
  const reference = tag === '' ? name : `${name}${tag.startsWith('sha256:') ? '@' : ':'}${tag}`;
  const image = [...registry].find(([known]) => withTag(known) === withTag(reference))?.[1];
  if (image === undefined) {
    const advice =
      "repository does not exist or may require 'docker login': denied: requested access to the resource is denied";
    throw new Refusal(404, `pull access denied for ${name}, ${advice}`);
  }
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    stream: async (write, gone) => {
      for (const line of progress(reference, image)) {
        if (gone.aborted) return;
        write(Buffer.from(`${JSON.stringify(line)}\r\n`));
        if (image.pace !== undefined) await sleep(image.pace);
      }
      if (image.error !== undefined) {
        write(Buffer.from(`${JSON.stringify({ errorDetail: { message: image.error }, error: image.error })}\r\n`));
        return;
      }
      addImage(state, reference, image);
      emitEvent(state, 'image', 'pull', reference, { name: reference });
      write(Buffer.from(`${JSON.stringify({ status: `Status: Downloaded newer image for ${reference}` })}\r\n`));
    },
  };
}

function* progress(reference: string, { layers, error }: RegistryImage): Generator<object> {
  yield { status: `Pulling from ${reference.split(/[:@]/)[0]}`, id: reference.split(/[:@]/)[1] };
  for (const { id } of layers) yield { status: 'Pulling fs layer', progressDetail: {}, id };
  for (const { id, size } of layers) {
    for (const current of [size / 4, size / 2, size]) {
      yield { status: 'Downloading', progressDetail: { current, total: size }, progress: '[=>  ]', id };
    }
    yield { status: 'Download complete', progressDetail: {}, id };
    yield { status: 'Extracting', progressDetail: { current: size, total: size }, progress: '[==>]', id };
    yield { status: 'Pull complete', progressDetail: {}, id };
  }
  if (error === undefined) yield { status: `Digest: sha256:${createHash('sha256').update(reference).digest('hex')}` };
}

/** Where a digest is given, a tag beside it counts for nothing. */
function withTag(reference: string): string {
  const [name = '', digest] = reference.split('@');
  if (digest !== undefined) return `${name.replace(/:[^/]*$/, '')}@${digest}`;
  return /:[^/]*$/.test(reference) ? reference : `${reference}:latest`;
}
