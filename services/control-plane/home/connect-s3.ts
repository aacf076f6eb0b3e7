import type { Logger } from '../../platform/logger.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { checkS3Store } from '../../platform/s3/check-s3-store.ts';
import { openS3Store } from '../../platform/s3/s3-store.ts';
import type { S3Settings } from '../settings/s3.ts';

/** The start waits for a store by asking anew (`openObjects`): each time one try of each request, and no long wait for an answer. */
const AT_START = { retry: { tries: 1, withinMs: 0, baseMs: 0, maxMs: 0 }, idleMs: 10_000 };

/** Tries what runs will need of an S3 store, and opens it. Throws StorageFaultError; a lack that runs can live with is a warning. */
export async function connectS3(s3: S3Settings, log: Pick<Logger, 'warn'>): Promise<ObjectStore> {
  const { server, conditionalWrites, checksums } = await checkS3Store({ ...s3, ...AT_START });
  const place = { endpoint: s3.endpoint, bucket: s3.bucket, server };
  if (!conditionalWrites) {
    log.warn(
      'The object store does not heed If-None-Match: Tandem looks before it writes a manifest. Let no other program write into this bucket.',
      place,
    );
  }
  if (!checksums) {
    log.warn(
      'The object store does not check the sha256 of what it receives: bytes damaged on the way are found when a checkpoint is read.',
      place,
    );
  }
  return openS3Store({ ...s3, conditionalWrites });
}
