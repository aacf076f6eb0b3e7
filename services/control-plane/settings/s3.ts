import { z } from 'zod';
import { SettingsError } from '../../platform/settings.ts';
import { flag, readSecret } from './values.ts';

/** An S3 store. The secret comes from its variable or from the file that `..._FILE` names, and goes nowhere else. */
export interface S3Settings {
  endpoint: string;
  bucket: string;
  accessKey: string;
  secretKey: string;
  region: string;
  /** All keys begin with it; empty for the whole bucket. */
  prefix: string;
  /** Where people reach the store; null: they get the bytes from the API. */
  publicUrl: string | null;
  createBucket: boolean;
}

const STORE_URL = 'must be a URL without a path, such as http://127.0.0.1:9000';
const storeUrl = z
  .url({ protocol: /^https?$/, error: STORE_URL })
  .refine((text) => {
    const { pathname, search, hash } = parseUrl(text) ?? {};
    return pathname === '/' && search === '' && hash === '';
  }, STORE_URL)
  .refine((text) => {
    const { username = '', password = '' } = parseUrl(text) ?? {};
    return username + password === '';
  }, 'must not hold a user or a password; give the keys by TANDEM_S3_ACCESS_KEY and TANDEM_S3_SECRET_KEY');
/** What is read from the environment about the store. */
export const s3Environment = {
  TANDEM_S3_ENDPOINT: storeUrl.optional(),
  TANDEM_S3_BUCKET: z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
      'must be a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens',
    )
    .default('tandem'),
  TANDEM_S3_ACCESS_KEY: z.string().optional(),
  TANDEM_S3_SECRET_KEY: z.string().optional(),
  TANDEM_S3_SECRET_KEY_FILE: z.string().optional(),
  TANDEM_S3_REGION: z.string().default('us-east-1'),
  TANDEM_S3_PREFIX: z
    .string()
    .regex(/^([A-Za-z0-9_-][A-Za-z0-9._-]*\/)+$/, 'must be a path that ends with a slash, such as team-a/')
    .default(''),
  TANDEM_S3_PUBLIC_URL: storeUrl.optional(),
  TANDEM_S3_CREATE_BUCKET: flag('TANDEM_S3_CREATE_BUCKET=true').default(false),
};

type S3Environment = z.output<z.ZodObject<typeof s3Environment>>;

/** null: checkpoints lie as files below the home. @throws SettingsError */
export function readS3(env: S3Environment, cwd: string): S3Settings | null {
  const endpoint = env.TANDEM_S3_ENDPOINT;
  if (endpoint === undefined) return null;
  const accessKey = env.TANDEM_S3_ACCESS_KEY;
  const secretKey =
    env.TANDEM_S3_SECRET_KEY ?? readSecret('TANDEM_S3_SECRET_KEY_FILE', env.TANDEM_S3_SECRET_KEY_FILE, cwd);
  if (accessKey === undefined || secretKey === undefined) {
    throw new SettingsError(
      'TANDEM_S3_ENDPOINT: needs TANDEM_S3_ACCESS_KEY, and TANDEM_S3_SECRET_KEY or TANDEM_S3_SECRET_KEY_FILE; set them, or unset TANDEM_S3_ENDPOINT to keep checkpoints as files',
    );
  }
  return {
    endpoint,
    bucket: env.TANDEM_S3_BUCKET,
    accessKey,
    secretKey,
    region: env.TANDEM_S3_REGION,
    prefix: env.TANDEM_S3_PREFIX,
    publicUrl: env.TANDEM_S3_PUBLIC_URL ?? null,
    createBucket: env.TANDEM_S3_CREATE_BUCKET,
  };
}

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}
