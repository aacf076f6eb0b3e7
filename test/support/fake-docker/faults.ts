import type { DockerEvent } from './events.ts';
import type { DockerRequest } from './http.ts';

/** What can happen to a request. */
export type DockerFault =
  /** It is never answered; nothing is done. */
  | { kind: 'hang' }
  /** An error instead of it. */
  | { kind: 'answer'; status: number; message?: string }
  /** The connection ends without an answer: before anything is done, or after all of it. */
  | { kind: 'cut'; when: 'before' | 'after' }
  /** The connection ends after so many bytes of the body, in the middle of a frame or a line if they say so. */
  | { kind: 'cut body'; after: number }
  /** What comes within so many milliseconds arrives in one piece. */
  | { kind: 'coalesce'; within: number }
  /** Each byte of the body arrives alone. */
  | { kind: 'single bytes' }
  | { kind: 'late'; milliseconds: number }
  /** Something else is done first: a program killed, the daemon restarted; before the request is done, or before its answer is sent. */
  | { kind: 'act'; when: 'before' | 'after'; act: () => unknown };

export interface DockerFaultRule {
  /** Matched against `METHOD /path?query`, without the version. */
  on: RegExp;
  fault: DockerFault;
  /** So many requests that match pass unharmed first. */
  skip?: number;
  /** How often at most; no limit when absent. */
  times?: number;
}

/** Shares of events, 0 to 1, that get lost, come twice, or come after the one that follows. */
export interface EventFaults {
  drop?: number;
  duplicate?: number;
  reorder?: number;
  /** Other seeds choose other events; 1 when absent. */
  seed?: number;
}

/** The faults of each request, in the order of the rules. Rules may be added and removed while it is used. */
export function faultChooser(rules: readonly DockerFaultRule[]): (request: DockerRequest) => DockerFault[] {
  const seen = new Map<DockerFaultRule, number>();
  return (request) => {
    const name = requestName(request);
    return rules
      .filter((rule) => {
        if (!rule.on.test(name)) return false;
        const before = seen.get(rule) ?? 0;
        seen.set(rule, before + 1);
        const { skip = 0, times = Number.POSITIVE_INFINITY } = rule;
        return before >= skip && before < skip + times;
      })
      .map(({ fault }) => fault);
  };
}

export function requestName({ method, path, query }: DockerRequest): string {
  return `${method} ${path}${query.size === 0 ? '' : `?${decodeURIComponent(query.toString())}`}`;
}

/** For one stream of events; one that is held back comes with the next. */
export function eventTamperer({ drop = 0, duplicate = 0, reorder = 0, seed = 1 }: EventFaults) {
  const random = generator(seed);
  let held: DockerEvent[] = [];
  return (events: DockerEvent[]): DockerEvent[] =>
    events.flatMap((event) => {
      if (random() < drop) return [];
      if (held.length === 0 && random() < reorder) {
        held = [event];
        return [];
      }
      const told = [...(random() < duplicate ? [event, event] : [event]), ...held];
      held = [];
      return told;
    });
}

/** Mulberry32. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How the pieces of a body reach the connection. */
export function bodySender(
  faults: readonly DockerFault[],
  connection: { write(chunk: Buffer): void; cut(): void },
): { write(chunk: Buffer): void; end(): void } {
  const cut = faults.find((fault) => fault.kind === 'cut body');
  const coalesce = faults.find((fault) => fault.kind === 'coalesce');
  const isSingle = faults.some((fault) => fault.kind === 'single bytes');
  let left = cut?.after ?? Number.POSITIVE_INFINITY;
  let waiting: Buffer[] = [];
  let timer: NodeJS.Timeout | undefined;

  function pass(chunk: Buffer): void {
    if (left < 0 || chunk.length === 0) return;
    const part = chunk.subarray(0, left);
    if (isSingle) for (const byte of part) connection.write(Buffer.of(byte));
    else connection.write(part);
    left -= part.length;
    if (left === 0) {
      left = -1;
      connection.cut();
    }
  }
  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    pass(Buffer.concat(waiting));
    waiting = [];
  }
  return {
    write(chunk) {
      if (coalesce === undefined) return pass(chunk);
      waiting.push(chunk);
      timer ??= setTimeout(flush, coalesce.within);
    },
    end: flush,
  };
}
