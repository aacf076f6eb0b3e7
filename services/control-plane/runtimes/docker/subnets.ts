/** A block of IPv4 addresses. */
export interface Subnet {
  /** First address, as a number. */
  first: number;
  /** Bits of the network part, 0 to 32. */
  prefix: number;
}

/** 13 hosts beside the gateway: a pair with every restart of its server. */
export const PAIR_PREFIX = 28;

/** Reads `10.213.0.0/16`; null for anything else, also for an address that lies within the block instead of at its start. */
export function parseSubnet(text: string): Subnet | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (match === null) return null;
  const [a, b, c, d, prefix] = match.slice(1).map(Number) as [number, number, number, number, number];
  if ([a, b, c, d].some((part) => part > 255) || prefix > 32) return null;
  const first = ((a * 256 + b) * 256 + c) * 256 + d;
  return first % sizeOf(prefix) === 0 ? { first, prefix } : null;
}

export function showSubnet({ first, prefix }: Subnet): string {
  return `${[24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.')}/${prefix}`;
}

/** The first block of `prefix` bits in the pool that overlaps none of those taken; null when there is none. Cost: pool size times networks. */
export function freeSubnet(pool: Subnet, taken: readonly Subnet[], prefix = PAIR_PREFIX): Subnet | null {
  const step = sizeOf(prefix);
  const end = pool.first + sizeOf(pool.prefix);
  for (let first = pool.first; first + step <= end; ) {
    const candidate = { first, prefix };
    const blocker = taken.find((each) => overlap(each, candidate));
    if (blocker === undefined) return candidate;
    // Past the block that is in the way, at the next multiple of the step.
    first = Math.max(first + step, Math.ceil((blocker.first + sizeOf(blocker.prefix)) / step) * step);
  }
  return null;
}

function overlap(a: Subnet, b: Subnet): boolean {
  return a.first < b.first + sizeOf(b.prefix) && b.first < a.first + sizeOf(a.prefix);
}

function sizeOf(prefix: number): number {
  return 2 ** (32 - prefix);
}
