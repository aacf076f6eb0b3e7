import type { Settings } from '../settings.ts';

/**
 * What the redactor knows secrets from: the environment, and the keys that were read from files, which are none of its variables. A setting that reads
 * another secret from a file (`readSecret`) has to be here.
 */
export function knownSecrets(
  environment: Readonly<Record<string, string | undefined>>,
  { apiKey, s3 }: Pick<Settings, 'apiKey' | 's3'>,
): Record<string, string | undefined> {
  return {
    ...environment,
    ...(apiKey !== null && { TANDEM_API_KEY: apiKey }),
    ...(s3 !== null && { TANDEM_S3_SECRET_KEY: s3.secretKey }),
  };
}
