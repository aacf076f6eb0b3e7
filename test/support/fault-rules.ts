import { createHash } from 'node:crypto';
import type { S3Request } from './s3-request.ts';

/** What can happen to a request on its way to the store and back. */
export type Fault =
  /** The connection is reset: before the server sees anything, with half of the body sent, or with all of it read and none passed on. */
  | { kind: 'reset'; when: 'before' | 'within' | 'after' }
  /** The request is done, its answer never comes. */
  | { kind: 'lost reply' }
  /** Half of the answer's body comes, then the connection ends. */
  | { kind: 'truncated' }
  /** An S3 error instead of the request. */
  | { kind: 'answer'; status: number; code: string }
  /** One bit of the body is another. */
  | { kind: 'flipped'; of: 'request' | 'response' }
  | { kind: 'late'; milliseconds: number }
  /** Both bodies at so many bytes in a second. */
  | { kind: 'slow'; bytesPerSecond: number }
  /** Something else is done first, a program killed for instance: before the server sees the request, or before its answer goes on. */
  | { kind: 'act'; when: 'before' | 'after'; act: () => unknown };

export interface FaultRule {
  fault: Fault;
  /** Which share of the requests that match, 0 to 1. */
  share: number;
  /** All when absent. */
  match?: (request: S3Request) => boolean;
  /** How often at most; no limit when absent. */
  times?: number;
}

/**
 * Says what happens to each request. The choice depends on the seed, the name of the request and how often that was asked, not on the order of
 * requests of different names: those that are sent side by side do not change each other's fate.
 */
export function faultChooser(rules: readonly FaultRule[], seed: number): (request: S3Request, name: string) => Fault[] {
  const asked = new Map<string, number>();
  const used = rules.map(() => 0);
  return (request, name) => {
    const nth = (asked.get(name) ?? 0) + 1;
    asked.set(name, nth);
    return rules.flatMap(({ fault, share, match, times = Number.POSITIVE_INFINITY }, i) => {
      if (match?.(request) === false || used[i]! >= times || draw(`${seed} ${i} ${nth} ${name}`) >= share) return [];
      used[i]! += 1;
      return [fault];
    });
  };
}

/** 0 up to 1. */
function draw(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32;
}
