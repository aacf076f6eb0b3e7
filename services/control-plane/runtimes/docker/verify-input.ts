import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashFile } from '../../../platform/transfer/hash-file.ts';
import { INPUT_LIST } from './input-archive.ts';

/** Runs in a container: checks what was copied into a volume against the hashes of what was read. Ends with 1 when a file is missing or differs. */
async function main(directory: string): Promise<void> {
  const { files } = JSON.parse(await readFile(join(directory, INPUT_LIST), 'utf8')) as {
    files: { path: string; size: number; sha256: string }[];
  };
  for (const { path, size, sha256 } of files) {
    const file = await open(join(directory, path));
    try {
      const found = await hashFile(file, null);
      if (found.size !== size || found.sha256 !== sha256) throw new Error(`${path} is damaged`);
    } finally {
      await file.close();
    }
  }
  process.stdout.write(`${files.length} files are as they were read\n`);
}

await main(process.argv[2] ?? '').catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
