import type { Logger } from '../../platform/logger.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import type { S3Settings } from '../settings.ts';
import { StartError } from '../start-error.ts';

export async function connectS3(_s3: S3Settings, _log: Pick<Logger, 'warn'>): Promise<ObjectStore> {
  throw new StartError('TANDEM_S3_ENDPOINT: this build keeps checkpoints as files only; unset it');
}
