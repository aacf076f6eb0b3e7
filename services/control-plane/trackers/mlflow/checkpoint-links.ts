import type { Checkpoint } from '../../../contracts/checkpoint.ts';

/** Where the checkpoints of a run are to be found, for `tandem/links.json` and for tags. */
export function checkpointLinks(
  run: string,
  checkpoints: readonly Checkpoint[],
  locationOf: (id: { run: string; attempt: number; step: number }) => string,
): { file: object; tags: Map<string, string> } {
  const links = checkpoints.map(({ attempt, step, aliases, purposes, size, created_at }) => ({
    checkpoint: `a${attempt}/checkpoint-${step}`,
    aliases,
    purposes,
    step,
    size,
    created_at,
    location: locationOf({ run, attempt, step }),
  }));
  const tags = links.flatMap(({ aliases, location }) =>
    aliases.map((alias) => [`tandem.checkpoint.${alias}`, location] as const),
  );
  return { file: { run, checkpoints: links }, tags: new Map(tags) };
}
