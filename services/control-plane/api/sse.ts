import type { Exchange } from './handlers.ts';
import { ProblemError } from './problem-error.ts';

export interface StreamSettings {
  /** Streams open at a time, over all runs. */
  maxFollowers: number;
  /** A comment is sent this often, so that proxies and clients see that the stream lives. */
  heartbeatMs: number;
  /** A follower that takes nothing for so long, while something waits for it, is dropped. */
  stallMs: number;
}

/** Leaves a quarter of the connections that the listener takes to everybody else. */
export const STREAM_SETTINGS: StreamSettings = { maxFollowers: 1536, heartbeatMs: 15_000, stallMs: 30_000 };

/** One server-sent event; as text only `data` is written, which is then a line. Never changed once made: followers share them. */
export interface StreamMessage {
  id?: string;
  event?: string;
  data: unknown;
}

export interface Stream {
  /** Aborted once the stream is over, whoever ended it. */
  readonly signal: AbortSignal;
  /** Writes a message; resolves when the client has room for the next one, so a slow client holds one message, not a queue. */
  send(message: StreamMessage): Promise<void>;
  /** Ends the stream with a last message, of which text shows nothing; `line` is what text shows. */
  end(message: StreamMessage, line?: string): void;
}

export interface Streams {
  /**
   * Answers with an endless response.
   * @throws ProblemError too-many-requests
   */
  open(exchange: Exchange, format: 'sse' | 'text'): Stream;
  /** Ends every stream; clients reconnect with `Last-Event-ID`. */
  close(): void;
}

export function createStreams(settings: StreamSettings = STREAM_SETTINGS): Streams {
  const followers = new Set<Stream>();
  return {
    open: (exchange, format) => {
      if (followers.size >= settings.maxFollowers) {
        throw new ProblemError(
          'too-many-requests',
          `${followers.size} streams are open, the most that are served; close one or try again later.`,
        );
      }
      const stream = openStream(exchange, format, settings);
      followers.add(stream);
      stream.signal.addEventListener('abort', () => followers.delete(stream), { once: true });
      if (stream.signal.aborted) followers.delete(stream);
      return stream;
    },
    close: () => {
      for (const stream of followers) stream.end({ event: 'closing', data: { reason: 'the control plane stops' } });
    },
  };
}

function openStream({ request, response }: Exchange, format: 'sse' | 'text', settings: StreamSettings): Stream {
  const over = new AbortController();
  const encode = format === 'sse' ? encodeOnce : encodeLine;
  response.status(200);
  response.setHeader(
    'Content-Type',
    format === 'sse' ? 'text/event-stream; charset=utf-8' : 'text/plain; charset=utf-8',
  );
  // Proxies such as nginx would otherwise hold events back until their buffer is full.
  response.setHeader('X-Accel-Buffering', 'no');
  response.flushHeaders();
  request.socket.setTimeout(0);
  response.once('close', () => over.abort());

  const finish = () => {
    over.abort();
    response.end();
    // What a stalled client never takes must not hold its socket forever.
    const lost = setTimeout(() => response.destroy(), settings.stallMs);
    response.once('close', () => clearTimeout(lost));
  };
  const heartbeat = setInterval(() => {
    if (format === 'sse' && !response.writableNeedDrain) response.write(': heartbeat\n\n');
  }, settings.heartbeatMs);
  over.signal.addEventListener('abort', () => clearInterval(heartbeat), { once: true });

  const stream: Stream = {
    signal: over.signal,
    send: async (message) => {
      if (over.signal.aborted || response.write(encode(message))) return;
      const drained = await drain(response, over.signal, settings.stallMs);
      if (drained || over.signal.aborted) return;
      const reason = `nothing was read for ${settings.stallMs / 1000} s`;
      stream.end(
        { event: 'dropped', data: { reason: `${reason}; reconnect with Last-Event-ID` } },
        `... dropped here: ${reason}`,
      );
    },
    end: (message, line) => {
      if (over.signal.aborted) return;
      if (format === 'sse') response.write(encodeEvent(message));
      else if (line !== undefined) response.write(`${line}\n`);
      finish();
    },
  };
  if (format === 'sse') response.write('retry: 2000\n\n');
  if (request.method === 'HEAD') finish();
  return stream;
}

const encodings = new WeakMap<StreamMessage, string>();

/** Followers of the same lines share their messages, so each is made into text once. */
function encodeOnce(message: StreamMessage): string {
  const known = encodings.get(message);
  if (known !== undefined) return known;
  const text = encodeEvent(message);
  encodings.set(message, text);
  return text;
}

function encodeEvent({ id, event, data }: StreamMessage): string {
  return `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;
}

function encodeLine({ data }: StreamMessage): string {
  return `${String(data)}\n`;
}

/** Whether the client took what was written, within `ms`. */
function drain(response: Exchange['response'], signal: AbortSignal, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (drained: boolean) => {
      clearTimeout(stalled);
      response.off('drain', onDrain);
      signal.removeEventListener('abort', onAbort);
      resolve(drained);
    };
    const onDrain = () => settle(true);
    const onAbort = () => settle(false);
    const stalled = setTimeout(() => settle(false), ms);
    response.once('drain', onDrain);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
