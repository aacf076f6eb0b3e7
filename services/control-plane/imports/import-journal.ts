import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { runIdSchema } from '../../contracts/run.ts';
import { writeFileAtomic } from '../../platform/atomic-file.ts';

const entrySchema = z.looseObject({ run: runIdSchema, tree: z.string(), sending: z.string().optional() });
/** An import that has begun: the run that it will make, the tree that it has claimed, and the key of the object that is being written. */
export type ImportEntry = z.infer<typeof entrySchema>;

/**
 * Which imports are under way, as files `<directory>/<run>.json`: written before anything else is, removed when the run is there or its pieces are gone.
 * What is listed at start was cut off by the end of the process.
 */
export function createImportJournal(directory: string) {
  const fileOf = (run: string) => join(directory, `${run}.json`);
  return {
    /** Replaces what was noted of the run. */
    async note(entry: ImportEntry): Promise<void> {
      await mkdir(directory, { recursive: true });
      await writeFileAtomic(fileOf(entry.run), `${JSON.stringify(entry)}\n`);
    },
    async end(run: string): Promise<void> {
      await rm(fileOf(run), { force: true });
    },
    async list(): Promise<ImportEntry[]> {
      const names = await readdir(directory).catch(() => []);
      const entries: ImportEntry[] = [];
      for (const name of names.filter((each) => /^run-[a-z0-9]{8}\.json$/.test(each))) {
        entries.push(entrySchema.parse(JSON.parse(await readFile(join(directory, name), 'utf8'))));
      }
      return entries;
    },
  };
}
