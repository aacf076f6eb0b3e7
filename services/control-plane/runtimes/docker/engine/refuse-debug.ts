/**
 * Why the control plane must not start with this `DEBUG`, or null. The Docker client writes every request to standard error when it matches `modem`:
 * passwords of registries and the environment of containers.
 */
export function refuseDebug(debug: string | undefined): string | null {
  const patterns = (debug ?? '').split(/[\s,]+/).filter((pattern) => pattern !== '');
  const matching = patterns.find((pattern) => matches(pattern, 'modem'));
  const takenOut = patterns.some((pattern) => pattern.startsWith('-') && matches(pattern.slice(1), 'modem'));
  if (matching === undefined || takenOut) return null;
  return `DEBUG=${matching} would print passwords and the environment of containers into the log. Take it out of DEBUG.`;
}

/** As the package `debug` reads a pattern: `*` is anything, `-` in front of one takes out. */
function matches(pattern: string, name: string): boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`, 'i').test(name);
}
