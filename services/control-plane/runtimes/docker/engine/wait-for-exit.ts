import { pathPart } from './client.ts';
import { DockerError } from './docker-error.ts';
import { openStream } from './open-stream.ts';

export interface WaitForExit {
  container: string;
  /** `next-exit`: the next time it ends, also when it was never started. `not-running`: at once when it does not run. */
  condition: 'next-exit' | 'not-running';
  signal: AbortSignal;
}

export interface Exit {
  exitCode: number;
  /** Why the daemon could not wait properly; null when all is well. */
  error: string | null;
}

const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Asks to be told of a container's end. When it resolves, the daemon has taken note: a start may follow, and no end after it is missed.
 * The exit is a hint: some engines answer early, so inspect before you believe it.
 * @returns its `exited` rejects with DockerError when the connection breaks, and with the signal's reason
 */
export async function waitForExit(
  socketPath: string,
  { container, condition, signal }: WaitForExit,
): Promise<{ exited: Promise<Exit> }> {
  const what = `wait for the end of container ${container}`;
  const path = `/containers/${pathPart(container)}/wait?condition=${condition}`;
  const chunks = await openStream({ socketPath, what, method: 'POST', path, signal });
  const exited = readExit(what, chunks);
  // Whoever waits for it sees it; nobody has to.
  exited.catch(() => undefined);
  return { exited };
}

async function readExit(what: string, chunks: AsyncIterable<Buffer>): Promise<Exit> {
  let text = '';
  for await (const chunk of chunks) {
    text += chunk.toString('utf8');
    if (text.length > MAX_ANSWER_BYTES) break;
  }
  const answer = parse(text);
  if (typeof answer?.StatusCode !== 'number') {
    throw new DockerError('unreachable', `${what}: the Docker daemon stopped waiting; it may be shutting down.`);
  }
  return { exitCode: answer.StatusCode, error: answer.Error?.Message || null };
}

function parse(text: string): { StatusCode?: unknown; Error?: { Message?: string } | null } | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
