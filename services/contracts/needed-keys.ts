/** A key that a run cannot do without, and why. */
export interface NeededKey {
  variable: string;
  why: string;
}

/** The keys that a run needs from the environment, told from its spec as it was written. */
export function neededKeys(spec: unknown): NeededKey[] {
  const type = at(spec, 'environment', 'type');
  return type === 'gbox'
    ? [{ variable: 'GBOX_API_KEY', why: 'environment.type is gbox, whose computers are rented by this key' }]
    : [];
}

/** What a run needs and the environment lacks, as one sentence each with the remedy. */
export function missingKeys(spec: unknown, environment: Readonly<Record<string, string | undefined>>): string[] {
  return neededKeys(spec)
    .filter(({ variable }) => !environment[variable])
    .map(({ variable, why }) => `${variable} is not set: ${why}; put it into .env, or export it`);
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (found, key) => (typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[key] : undefined),
    value,
  );
}
