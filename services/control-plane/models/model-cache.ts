import { mkdir, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { type ModelOrigin, modelOriginSchema } from '../../contracts/model-origin.ts';
import { makeDirectory, writeFileAtomic } from '../../platform/atomic-file.ts';
import type { CachedModel } from './choose-removals.ts';
import { describeOrigin, type ModelFile, type ModelListing, totalBytes } from './model-files.ts';

const listingSchema = z.object({
  origin: modelOriginSchema,
  files: z.array(
    z.object({
      path: z.string().regex(/^[\w-][\w.-]*$/),
      size: z.int().min(0),
      hash: z.object({ algorithm: z.enum(['sha256', 'git-blob']), hex: z.string() }).nullable(),
    }),
  ),
  config: z.record(z.string(), z.unknown()),
});

/**
 * Models that were fetched, in a directory for each commit: `hub/<organisation>/<name>/<commit>/` and `store/<prefix>/<digest>/`. A directory is there
 * when all of it is; until then it is `<directory>.partial`. `<directory>.json` says what belongs in it.
 */
export interface ModelCache {
  directoryOf(origin: ModelOrigin): string;
  isComplete(directory: string): Promise<boolean>;
  /** What was kept of a model; null where nothing was. */
  listing(directory: string): Promise<ModelListing | null>;
  /** Keeps what is to be fetched, and for a hub which commit its revision meant. */
  keep(listing: ModelListing): Promise<void>;
  /** The commit that a revision meant when it was last asked for; null where that was never. */
  lastCommit(repo: string, revision: string): Promise<string | null>;
  /** Bytes that are still to be written for a model, and bytes that are free for them. */
  space(directory: string, files: readonly ModelFile[]): Promise<{ needed: number; free: number }>;
  /** All that were ever to be fetched. */
  models(): Promise<CachedModel[]>;
  /** Removes a model, whole or not, at once from where it is looked for. What belongs in it is still known. */
  remove(directory: string): Promise<void>;
  /** Removes what a removal that was cut off has left. */
  sweep(): Promise<void>;
}

/** Of a directory, and of the listing beside it. */
const KEY = /^[0-9a-f]{40}(?=\.json$)/;
/** A directory that is being removed, where nobody looks for it. */
const REMOVED = /^[0-9a-f]{40}(\.partial)?\.removed$/;

export function createModelCache(root: string): ModelCache {
  const repoDirectory = (repo: string) => join(root, 'hub', ...repo.split('/'));
  const revisions = async (repo: string): Promise<Record<string, string>> => {
    const text = await readFile(join(repoDirectory(repo), 'revisions.json'), 'utf8').catch(() => '{}');
    const parsed = z.record(z.string(), z.string().regex(/^[0-9a-f]{40}$/)).safeParse(parseOrNull(text));
    return parsed.success ? parsed.data : {};
  };

  return {
    directoryOf: (origin) =>
      origin.kind === 'hub'
        ? join(repoDirectory(origin.repo), origin.commit)
        : join(root, 'store', ...origin.prefix.split('/'), origin.digest),
    isComplete: async (directory) => (await stat(directory).catch(() => null))?.isDirectory() ?? false,
    listing: async (directory) => {
      const text = await readFile(`${directory}.json`, 'utf8').catch(() => 'null');
      const parsed = listingSchema.safeParse(parseOrNull(text));
      return parsed.success ? parsed.data : null;
    },
    async keep(listing) {
      const { origin } = listing;
      const directory = this.directoryOf(origin);
      await makeDirectory(dirname(directory));
      await writeFileAtomic(`${directory}.json`, `${JSON.stringify(listing, null, 2)}\n`);
      if (origin.kind !== 'hub') return;
      const known = { ...(await revisions(origin.repo)), [origin.revision]: origin.commit };
      await writeFileAtomic(join(repoDirectory(origin.repo), 'revisions.json'), `${JSON.stringify(known, null, 2)}\n`);
    },
    lastCommit: async (repo, revision) => {
      const known = await revisions(repo);
      // A branch may be called `constructor`.
      return Object.hasOwn(known, revision) ? (known[revision] ?? null) : null;
    },
    space: async (directory, files) => {
      await mkdir(root, { recursive: true });
      const { bavail, bsize } = await statfs(root);
      let needed = 0;
      for (const { path, size } of files) {
        const place = join(`${directory}.partial`, path);
        const there = (await stat(place).catch(() => null)) ?? (await stat(`${place}.part`).catch(() => null));
        needed += Math.max(0, size - (there?.size ?? 0));
      }
      return { needed, free: bavail * bsize };
    },
    async models() {
      const names = await readdir(root, { recursive: true }).catch(() => []);
      const directories = names.filter((name) => KEY.test(basename(name))).map((name) => join(root, name.slice(0, -5)));
      const found = await Promise.all(
        directories.map(async (directory) => {
          const listing = await this.listing(directory);
          if (listing === null) return [];
          const isWhole = await this.isComplete(directory);
          const whole = totalBytes(listing.files);
          const bytes = isWhole ? whole : await bytesIn(`${directory}.partial`);
          const { mtimeMs: usedAt } = await stat(`${directory}.json`);
          return [{ directory, label: describeOrigin(listing.origin), bytes, whole, usedAt }];
        }),
      );
      return found.flat();
    },
    remove: async (directory) => {
      for (const path of [directory, `${directory}.partial`]) {
        const going = `${path}.removed`;
        // What an earlier removal has left there would be in the way.
        await rm(going, { recursive: true, force: true });
        await rename(path, going).catch(ignoreMissing);
        await rm(going, { recursive: true, force: true });
      }
    },
    sweep: async () => {
      const names = await readdir(root, { recursive: true }).catch(() => []);
      for (const name of names.filter((each) => REMOVED.test(basename(each)))) {
        await rm(join(root, name), { recursive: true, force: true });
      }
    },
  };
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function bytesIn(directory: string): Promise<number> {
  const names = await readdir(directory).catch(() => []);
  const sizes = await Promise.all(
    names.map(async (name) => (await stat(join(directory, name)).catch(() => null))?.size ?? 0),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
