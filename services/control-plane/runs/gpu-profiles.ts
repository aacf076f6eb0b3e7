import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { type GpuProfile, gpuProfileSchema } from '../../contracts/gpu-profile.ts';

export type GpuProfiles = ReadonlyMap<string, GpuProfile>;

/** Reads every profile of a directory, by name. Throws with the file and what is wrong in it. */
export async function readGpuProfiles(directory: string): Promise<GpuProfiles> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.yaml')).sort();
  const profiles = await Promise.all(files.map((file) => readProfile(join(directory, file))));
  return new Map(profiles.map((profile) => [profile.name, profile]));
}

async function readProfile(path: string): Promise<GpuProfile> {
  const parsed = gpuProfileSchema.safeParse(parse(await readFile(path, 'utf8')));
  if (!parsed.success) throw new Error(`${path} is not a GPU profile:\n${z.prettifyError(parsed.error)}`);
  if (`${parsed.data.name}.yaml` !== basename(path)) {
    throw new Error(`${path} holds the profile ${parsed.data.name}: a file is named after its profile`);
  }
  return parsed.data;
}
