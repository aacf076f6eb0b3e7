import { resolve } from 'node:path';
import { z } from 'zod';
import { refuseUrl } from '../../../platform/address-policy.ts';
import { readSecret } from '../../settings/values.ts';

/** W&B as this control plane uses it. The key goes to `baseUrl` and nowhere else. */
export interface WandbSettings {
  apiKey: string | null;
  /** Without a slash at its end. */
  baseUrl: string;
  project: string;
  /** null: the one that the key belongs to. */
  entity: string | null;
  /** The W&B run of every run whose spec names none. */
  runId: string | null;
  /** Where `<run>/wandb_backup/` lies; null: in the tree of each run. */
  directory: string | null;
}

/** What ids, projects and entities may hold: they become parts of a path. */
const name = (example: string) =>
  z.string().regex(/^[^/\\#?%:\s]{1,128}$/, `must have no slash, space or any of \\ # ? % :, as in ${example}`);

/** What is read from the environment about W&B. */
export const wandbEnvironment = {
  WANDB_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'must be a key without spaces, from https://wandb.ai/authorize')
    .optional(),
  WANDB_API_KEY_FILE: z.string().optional(),
  WANDB_BASE_URL: z
    .string()
    .superRefine((text, { addIssue }) => {
      const refusal = refuseUrl(text);
      if (refusal === null) return;
      addIssue({ code: 'custom', message: refusal.replace('http://localhost:8000/v1', 'https://api.wandb.ai') });
    })
    .default('https://api.wandb.ai'),
  WANDB_PROJECT: name('cua-grpo').default('cua-grpo'),
  WANDB_ENTITY: name('your-team').optional(),
  WANDB_RUN_ID: name('grpo-7').optional(),
  WANDB_DIR: z.string().optional(),
};

/** @throws SettingsError when the file of the key cannot be read */
export function readWandb(env: z.output<z.ZodObject<typeof wandbEnvironment>>, cwd: string): WandbSettings {
  const key = env.WANDB_API_KEY ?? readSecret('WANDB_API_KEY_FILE', env.WANDB_API_KEY_FILE, cwd);
  return {
    apiKey: key ?? null,
    baseUrl: env.WANDB_BASE_URL.replace(/\/+$/, ''),
    project: env.WANDB_PROJECT,
    entity: env.WANDB_ENTITY ?? null,
    runId: env.WANDB_RUN_ID ?? null,
    directory: env.WANDB_DIR === undefined ? null : resolve(cwd, env.WANDB_DIR),
  };
}
