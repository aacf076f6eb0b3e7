import { distance } from 'fastest-levenshtein';

/** The known name a misspelt one was most likely meant to be; undefined when none is near. */
export function nearestName(written: string, known: readonly string[]): string | undefined {
  const nearest = closestName(written, known);
  if (nearest === undefined) return undefined;
  // Two edits make any word of four letters of any other.
  const near = written.length <= 4 ? 1 : Math.max(2, written.length / 3);
  return distance(written.toLowerCase(), nearest.toLowerCase()) <= near ? nearest : undefined;
}

/** The known name with the fewest edits to the written one, however many; the first of several. */
export function closestName(written: string, known: readonly string[]): string | undefined {
  const edits = (name: string) => distance(written.toLowerCase(), name.toLowerCase());
  return [...known].sort((a, b) => edits(a) - edits(b))[0];
}
