import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, writeFileAtomic } from '../../../platform/atomic-file.ts';

/** `wandb_backup/step_XXXXXX.json`: what W&B could not be sent, a file per step, for people to look at. It is sent from the records. */
export interface BackupFiles {
  /** Adds to the files of these steps; `rows` in order. */
  write(rows: readonly { step: number; values: Readonly<Record<string, unknown>> }[]): Promise<void>;
  /** W&B has everything. */
  clear(): Promise<void>;
}

const PATTERN = /^step_\d{6,}\.json$/;

export function createBackupFiles(directory: string): BackupFiles {
  return {
    write: async (rows) => {
      if (rows.length > 0) await makeDirectory(directory);
      const steps = new Map<number, object>();
      for (const { step, values } of rows) steps.set(step, { ...steps.get(step), ...values });
      for (const [step, values] of steps) {
        const path = join(directory, `step_${String(step).padStart(6, '0')}.json`);
        await writeFileAtomic(path, `${JSON.stringify({ ...(await readJson(path)), ...values })}\n`);
      }
    },
    clear: async () => {
      for (const name of await readdir(directory).catch(() => [])) {
        if (PATTERN.test(name)) await rm(join(directory, name), { force: true });
      }
    },
  };
}

async function readJson(path: string): Promise<object> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as object;
  } catch {
    return {};
  }
}
