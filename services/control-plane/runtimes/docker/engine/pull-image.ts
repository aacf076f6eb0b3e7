import { DockerError, printable, redact } from './docker-error.ts';
import type { ImageDetail, RegistryAuth } from './engine-types.ts';
import { openStream } from './open-stream.ts';
import { createPullTracker, type PullMessage, type PullProgress } from './pull-progress.ts';
import { splitLines } from './split-lines.ts';

export interface PullImage {
  /** `name`, `name:tag` or `name@sha256:…`; `latest` without a tag. */
  reference: string;
  /** For a private registry. It goes into a header and nowhere else. */
  auth?: RegistryAuth | undefined;
  /** Called at most once for each piece of what the daemon sends. */
  onProgress?: ((progress: PullProgress) => void) | undefined;
  signal: AbortSignal;
}

/** A registry may take its time until the daemon says a first word. */
const FIRST_WORD_MS = 300_000;

interface Line extends PullMessage {
  error?: unknown;
  errorDetail?: { message?: unknown } | null;
}

/**
 * Fetches an image from its registry. It is there only when an inspection says so: the stream of a failed pull ends like any other.
 * Breaking off leaves what was fetched for the next try.
 * @throws DockerError `not_found`, `refused` or `failed` with what registry or daemon said; `unreachable` when the connection breaks
 */
export async function pullImage(
  socketPath: string,
  inspect: (reference: string) => Promise<ImageDetail | null>,
  { reference, auth, onProgress, signal }: PullImage,
): Promise<ImageDetail> {
  const what = `pull image ${reference}`;
  const { name, tag } = splitReference(reference);
  const headers =
    auth === undefined ? {} : { 'X-Registry-Auth': Buffer.from(JSON.stringify(auth)).toString('base64url') };
  const secrets = [auth?.password, auth?.identitytoken].filter((secret) => secret !== undefined);
  const path = `/images/create?${new URLSearchParams({ fromImage: name, tag })}`;
  const tracker = createPullTracker();
  const request = { socketPath, what, method: 'POST', path, headers, signal, headersMs: FIRST_WORD_MS } as const;
  const chunks = await openStream(request).catch((error: unknown) => {
    // What it knows before its first word comes as a status, mostly 500.
    throw error instanceof DockerError && error.status !== null ? pullError(error.message, secrets) : error;
  });
  for await (const lines of splitLines(chunks)) {
    for (const text of lines) {
      const line = parseLine(what, text);
      const error = line.errorDetail?.message ?? line.error;
      if (error !== undefined) throw pullError(`${what}: ${error}`, secrets);
      tracker.note(line);
    }
    if (lines.length > 0) onProgress?.(tracker.progress());
  }
  const image = await inspect(reference);
  if (image === null) {
    throw new DockerError(
      'failed',
      `${what}: the Docker daemon ended without an error, but the image is not there; try again`,
    );
  }
  return image;
}

/** Where the tag or the digest begins: a colon before the last slash is a registry's port. */
export function splitReference(reference: string): { name: string; tag: string } {
  const at = reference.indexOf('@');
  if (at >= 0) {
    const before = splitReference(reference.slice(0, at));
    return { name: before.name, tag: reference.slice(at + 1) };
  }
  const colon = reference.lastIndexOf(':');
  if (colon <= reference.lastIndexOf('/')) return { name: reference, tag: 'latest' };
  return { name: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}

function parseLine(what: string, text: string): Line {
  try {
    const line: unknown = JSON.parse(text);
    if (typeof line === 'object' && line !== null) return line;
  } catch {
    // Said below.
  }
  const begin = printable(text).slice(0, 200);
  throw new DockerError(
    'failed',
    `${what}: what came is not of a Docker daemon: ${begin} (there may be a proxy in between)`,
  );
}

/** Whatever the status is, only the words tell what went wrong. */
function pullError(message: string, secrets: readonly string[]): DockerError {
  const text = printable(redact(message, secrets));
  if (/unauthorized|denied|authentication/i.test(text)) {
    return new DockerError('refused', `${text}. Check the image's name, and the credentials for its registry`);
  }
  if (/manifest unknown|not found|does not exist/i.test(text)) {
    return new DockerError('not_found', `${text}. Check the image's name and its tag`);
  }
  return new DockerError('failed', text);
}
