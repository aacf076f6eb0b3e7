import type { Random } from './random.ts';

/** Values that schemas seldom think of. */
const hostileValues: readonly unknown[] = [
  null,
  '',
  ' ',
  '\u0000',
  '\ud800',
  '‮​',
  "'; DROP TABLE runs; --",
  '../../etc/passwd',
  '/etc/passwd',
  'file:///etc/passwd',
  'runs/run-00000000/latest',
  '%00',
  'x'.repeat(5000),
  0,
  -1,
  1.5,
  1e308,
  -1e308,
  2 ** 53,
  -(2 ** 63),
  true,
  'true',
  'NaN',
  [],
  {},
  [[]],
  [null],
  { constructor: 1 },
  { toString: 'x' },
  { length: -1 },
];

export const hostileTexts: readonly string[] = hostileValues.filter((value) => typeof value === 'string');

/** The value with one thing in it wrong: another value, a key too many, a key too few. */
export function spoil(value: unknown, random: Random): unknown {
  if (Array.isArray(value) && value.length > 0 && random.chance(0.7)) {
    const at = random.int(0, value.length - 1);
    return value.map((each, i) => (i === at ? spoil(each, random) : each));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return random.pick(hostileValues);
  const entries = Object.entries(value);
  if (entries.length === 0 || random.chance(0.15)) return { ...value, [random.pick(hostileTexts)]: 1 };
  const [name, inner] = random.pick(entries);
  if (random.chance(0.15)) return Object.fromEntries(entries.filter(([each]) => each !== name));
  if (random.chance(0.1)) return random.pick(hostileValues);
  return { ...value, [name]: spoil(inner, random) };
}
