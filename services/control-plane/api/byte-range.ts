/** Bytes `start` to `end`, both inclusive. */
export interface Bytes {
  start: number;
  end: number;
}

/**
 * What a Range header asks for of `size` bytes (RFC 9110, 14.2): one range; null for the whole, which is also the answer to several ranges and to
 * anything that is not understood; `unsatisfiable` for a range beyond the end.
 */
export function parseByteRange(header: string | undefined, size: number): Bytes | 'unsatisfiable' | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return null;
  const [, from = '', to = ''] = match;
  if (from === '') {
    const suffix = Math.min(Number(to), size);
    return suffix === 0 ? 'unsatisfiable' : { start: size - suffix, end: size - 1 };
  }
  const start = Number(from);
  const end = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== '' && Number(to) < start) return null;
  return start >= size ? 'unsatisfiable' : { start, end };
}
