/**
 * What came of a call to the Docker daemon that did not work out.
 * `not_found` and `name_taken` speak for themselves; `conflict`: the object is in a state that does not allow it; `overlap`: the subnet of a network is taken;
 * `invalid`: the daemon does not take the request; `refused`: it may not do it; `failed`: it tried and could not; `unreachable`: no daemon answers, or the
 * connection broke; `timeout`: it did not answer in time. After `unreachable` and `timeout` nobody knows whether the daemon has done it.
 */
export type DockerErrorKind =
  | 'not_found'
  | 'name_taken'
  | 'conflict'
  | 'overlap'
  | 'invalid'
  | 'refused'
  | 'failed'
  | 'unreachable'
  | 'timeout';

const MAX_SAID = 1000;

/** Its message is what was tried, what the daemon said to it, and the remedy where there is one. It holds no environment of containers and no credentials. */
export class DockerError extends Error {
  override readonly name = 'DockerError';
  readonly kind: DockerErrorKind;
  /** The HTTP status of the daemon's answer; null when there was none. */
  readonly status: number | null;

  constructor(kind: DockerErrorKind, message: string, status: number | null = null) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
}

/** What the daemon answered with another status than success. `secrets` are taken out of what it said. */
export function answeredError(
  what: string,
  status: number,
  said: string,
  secrets: readonly string[] = [],
): DockerError {
  const kind = kindOf(status, said);
  const text = printable(redact(said, secrets)) || 'nothing';
  return new DockerError(kind, `${what}: the Docker daemon answered ${status}: ${text}`, status);
}

/** What kept a request from being answered. */
export function transportError(what: string, socketPath: string, error: unknown): DockerError {
  const { code, message }: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error));
  const why = unreachable[code ?? '']?.(socketPath) ?? `the connection to it broke (${printable(code ?? message)})`;
  return new DockerError('unreachable', `${what}: the Docker daemon at ${socketPath} cannot be reached: ${why}.`);
}

const unreachable: Readonly<Record<string, (socketPath: string) => string>> = {
  ENOENT: () => 'there is no such socket. Start Docker, or set DOCKER_HOST=unix:///path/to/docker.sock',
  ECONNREFUSED: () => 'nothing listens there. Start Docker (systemctl start docker)',
  EACCES: (path) => `permission is denied. Let this user write to ${path}, for one by adding it to the group docker`,
};

function kindOf(status: number, said: string): DockerErrorKind {
  if (/\bpool overlaps\b|non-overlapping/i.test(said)) return 'overlap';
  if (status === 404) return 'not_found';
  if (status === 409) return /is already in use by container|already exists/.test(said) ? 'name_taken' : 'conflict';
  if (status === 403 && /has active endpoints/.test(said)) return 'conflict';
  if (status === 401 || status === 403) return 'refused';
  return status >= 400 && status < 500 ? 'invalid' : 'failed';
}

/** The longest first: one may be part of another. */
export function redact(text: string, secrets: readonly string[]): string {
  const longestFirst = secrets.filter((secret) => secret !== '').sort((a, b) => b.length - a.length);
  return longestFirst.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text);
}

/** One line of bounded length. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return line.length > MAX_SAID ? `${line.slice(0, MAX_SAID)}...` : line;
}
