import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../platform/atomic-file.ts';
import { StartError } from '../start-error.ts';

const storeSchema = z.union([
  z.object({ kind: z.literal('files') }),
  z.object({ kind: z.literal('s3'), bucket: z.string(), prefix: z.string().optional() }),
]);

/** Which object store a home uses. The endpoint is no part of it: the same store may be reached elsewhere tomorrow. */
export type StoreName = z.infer<typeof storeSchema>;

const homeSchema = z.looseObject({
  installation: z.uuid(),
  agent_port: z.int().min(1).max(65_535).nullable(),
  store: storeSchema.optional(),
  /** Id of the Docker daemon that has its containers; another one cannot know them. */
  docker_daemon: z.string().optional(),
});

/** What an installation remembers about itself in `<home>/home.json`. */
export type HomeFile = z.infer<typeof homeSchema>;

/** Reads `home.json`; the first start writes it. Throws StartError when it cannot be understood. */
export async function openHomeFile(home: string): Promise<HomeFile> {
  const path = join(home, 'home.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return await saveHomeFile(home, { installation: randomUUID(), agent_port: null });
  }
  try {
    return homeSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new StartError(
      `${path} cannot be understood: restore it, or move it away when no trainer is running (they find the control plane by its agent_port)`,
      { cause: error },
    );
  }
}

export async function saveHomeFile(home: string, content: HomeFile): Promise<HomeFile> {
  await writeFileAtomic(join(home, 'home.json'), `${JSON.stringify(content, null, 2)}\n`);
  return content;
}
