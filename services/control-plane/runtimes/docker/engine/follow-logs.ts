import { pathPart } from './client.ts';
import { demultiplex, type LogFrame } from './demultiplex.ts';
import { openStream } from './open-stream.ts';

export interface FollowLogs {
  container: string;
  /** Only what was printed at this time or later: a timestamp as Docker writes it, with nanoseconds. */
  since?: string | undefined;
  /** Each frame then begins with when it was printed: 30 characters and a space (`2026-01-31T10:20:30.000000000Z `). */
  timestamps?: boolean;
  /** Whether to wait for more while the container runs; true by default. */
  follow?: boolean;
  signal: AbortSignal;
}

/**
 * What a container prints, until it ends. An end says only that no more comes now: a daemon that shuts down ends it too.
 * @throws DockerError `not_found`, or `unreachable` when the connection breaks; the signal's reason once that is aborted
 */
export async function* followLogs(
  socketPath: string,
  { container, since, timestamps = false, follow = true, signal }: FollowLogs,
): AsyncGenerator<LogFrame[], void, undefined> {
  const query = new URLSearchParams({ stdout: '1', stderr: '1', follow: follow ? '1' : '0' });
  if (timestamps) query.set('timestamps', '1');
  if (since !== undefined) query.set('since', unixTime(since));
  const chunks = await openStream({
    socketPath,
    what: `read the log of container ${container}`,
    method: 'GET',
    path: `/containers/${pathPart(container)}/logs?${query}`,
    signal,
  });
  yield* demultiplex(chunks);
}

/** Seconds since the epoch with all nine digits of nanoseconds, which a `Date` has no room for. */
export function unixTime(timestamp: string): string {
  const [, seconds, fraction = ''] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(timestamp) ?? [];
  if (seconds === undefined) throw new Error(`${JSON.stringify(timestamp)} is no timestamp of Docker`);
  return `${Date.parse(`${seconds}Z`) / 1000}.${fraction.padEnd(9, '0')}`;
}
