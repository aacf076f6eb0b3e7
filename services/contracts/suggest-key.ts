import { closestName, nearestName } from './nearest-name.ts';
import { runSpecSchema } from './run-spec.ts';
import { schemaAt, schemaKeys } from './schema-keys.ts';
import { aliasSections, aliasTarget, specAliases } from './spec-aliases.ts';

/**
 * What a user who wrote an unknown key of the run spec most likely meant: the same name in another section, an older spelling, or the nearest name.
 * `path` is where the key stands.
 */
export function suggestKey(key: string, path: readonly string[]): string {
  const elsewhere = allPaths().find((known) => known.at(-1) === key) ?? aliasTarget(key)?.split('.');
  if (elsewhere !== undefined) return `; did you mean ${elsewhere.join('.')}?`;

  const here = schemaKeys(schemaAt(runSpecSchema, path));
  const takesAliases =
    path.length === 0 || (path.length === 1 && (aliasSections as readonly string[]).includes(path[0] as string));
  const candidates = [...here, ...(takesAliases ? Object.keys(specAliases) : [])];
  const near = nearestName(key, candidates);
  if (near !== undefined) return `; did you mean ${[...path, near].join('.')}?`;

  const names = allPaths().map((known) => known.at(-1) as string);
  const distant = nearestName(key, names);
  if (distant !== undefined)
    return `; did you mean ${allPaths()
      .find((known) => known.at(-1) === distant)
      ?.join('.')}?`;
  const closest = closestName(key, here);
  return closest === undefined ? '' : `; the nearest known name is ${[...path, closest].join('.')}`;
}

let paths: string[][] | undefined;

/** Every key of the run spec with its path, shallow ones first. */
function allPaths(): string[][] {
  if (paths !== undefined) return paths;
  paths = [];
  for (let level: string[][] = [[]]; level.length > 0; ) {
    level = level.flatMap((path) => schemaKeys(schemaAt(runSpecSchema, path)).map((key) => [...path, key]));
    paths.push(...level);
  }
  return paths;
}
