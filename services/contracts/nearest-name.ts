import { distance } from 'fastest-levenshtein';

/** The known name a misspelt one was most likely meant to be; undefined when none is near. */
export function nearestName(written: string, known: readonly string[]): string | undefined {
  const nearest = closestName(written, known);
  if (nearest === undefined) return undefined;
  return distance(written.toLowerCase(), nearest.toLowerCase()) <= Math.max(2, written.length / 3)
    ? nearest
    : undefined;
}

/** The known name with the fewest edits to the written one, however many; the first of several. */
export function closestName(written: string, known: readonly string[]): string | undefined {
  const edits = (name: string) => distance(written.toLowerCase(), name.toLowerCase());
  return [...known].sort((a, b) => edits(a) - edits(b))[0];
}
