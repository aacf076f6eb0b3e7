import type { DockerRequest, Reply } from './http.ts';
import { isTrue } from './http.ts';
import {
  type DaemonState,
  type FakeContainer,
  type LogLine,
  nowNano,
  Refusal,
  rfc3339Nano,
  tellListeners,
} from './state.ts';

/** dockerd splits longer lines. */
const LONGEST_LINE = 16 * 1024;

/** Cuts what a program prints into lines, as dockerd does: a rest without an end waits for it, or for the program's. */
export function lineCutter(print: (text: Buffer) => void): { take(chunk: Buffer): void; end(): void } {
  let rest: Buffer = Buffer.alloc(0);
  return {
    take(chunk) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (;;) {
        const end = rest.indexOf(10);
        const length = end === -1 || end >= LONGEST_LINE ? LONGEST_LINE : end + 1;
        if (rest.length < length || (end === -1 && rest.length < LONGEST_LINE)) return;
        print(rest.subarray(0, length));
        rest = rest.subarray(length);
      }
    },
    end() {
      if (rest.length > 0) print(rest);
      rest = Buffer.alloc(0);
    },
  };
}

export function addLogLine(state: DaemonState, container: FakeContainer, stream: 1 | 2, text: Buffer): void {
  const line: LogLine = { stream, time: nowNano(), text };
  if (!state.isUp) {
    container.unread.push(line);
    return;
  }
  container.logs.push(line);
  tellListeners(container);
}

/** `GET /containers/{id}/logs`: frames of 8 bytes head and payload; ends with the program when followed. */
export function streamLogs(container: FakeContainer, { query }: DockerRequest): Reply {
  const streams = [...(isTrue(query.get('stdout')) ? [1] : []), ...(isTrue(query.get('stderr')) ? [2] : [])];
  if (streams.length === 0) throw new Refusal(400, 'Bad parameters: you must choose at least one stream');
  const since = parseTime(query.get('since'));
  const until = parseTime(query.get('until'));
  const tail = query.get('tail') ?? 'all';
  const withTime = isTrue(query.get('timestamps'));
  const wanted = (line: LogLine) =>
    streams.includes(line.stream) && (since === null || line.time >= since) && (until === null || line.time <= until);
  return {
    status: 200,
    stream: async (write, gone) => {
      const frame = (line: LogLine) => {
        const text = withTime ? Buffer.concat([Buffer.from(`${rfc3339Nano(line.time)} `), line.text]) : line.text;
        const head = Buffer.alloc(8);
        head.writeUInt8(line.stream, 0);
        head.writeUInt32BE(text.length, 4);
        write(Buffer.concat([head, text]));
      };
      let sent = container.logs.length;
      const past = container.logs.filter(wanted);
      for (const line of /^\d+$/.test(tail) ? past.slice(Math.max(0, past.length - Number(tail))) : past) frame(line);
      if (!isTrue(query.get('follow'))) return;
      await new Promise<void>((resolve) => {
        const look = () => {
          for (const line of container.logs.slice(sent)) if (wanted(line)) frame(line);
          sent = container.logs.length;
          if (container.status !== 'exited' && !container.isRemoved && !gone.aborted) return;
          container.listeners.delete(look);
          resolve();
        };
        container.listeners.add(look);
        gone.addEventListener('abort', look, { once: true });
        look();
      });
    },
  };
}

/** Seconds since the epoch with up to nine decimals. */
function parseTime(text: string | null): bigint | null {
  if (text === null || text === '' || text === '0') return null;
  const [, seconds, fraction = ''] = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  if (seconds === undefined) throw new Refusal(400, `invalid value for "since": ${text}`);
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
}
