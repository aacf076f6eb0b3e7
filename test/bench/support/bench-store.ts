import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckpointFile } from '../../../services/contracts/checkpoint.ts';
import { openS3Store } from '../../../services/platform/s3/s3-store.ts';
import { downloadFiles } from '../../../services/platform/transfer/download-file.ts';
import { hashFile, partSizeFor } from '../../../services/platform/transfer/hash-file.ts';
import { uploadFiles } from '../../../services/platform/transfer/upload-parts.ts';
import type { S3Server } from '../../support/s3-servers.ts';

export const never = new AbortController().signal;
export type BenchStore = ReturnType<typeof openBenchStore>;
export type S3Access = Pick<S3Server, 'endpoint' | 'bucket' | 'accessKey' | 'secretKey' | 'region'>;

export function openBenchStore({ endpoint, bucket, accessKey, secretKey, region }: S3Access) {
  return openS3Store({ endpoint, bucket, accessKey, secretKey, region, publicUrl: null, conditionalWrites: true });
}

/** Hashes files as a trainer does when it has written them. */
export async function hashAll(directory: string, names: readonly string[]): Promise<CheckpointFile[]> {
  const files: CheckpointFile[] = [];
  for (const path of names) {
    const handle = await open(join(directory, path));
    const { size } = await handle.stat();
    files.push({ path, ...(await hashFile(handle, partSizeFor(size))) });
    await handle.close();
  }
  return files;
}

/** A checkpoint's way up, as the trainer and the control plane go it together: hashed, planned, sent, joined. Goes on with uploads that it is given. */
export async function uploadAll(
  store: BenchStore,
  { directory, names, prefix }: { directory: string; names: readonly string[]; prefix: string },
  uploads: Map<string, string> = new Map(),
  onPlanned: () => void = () => undefined,
): Promise<CheckpointFile[]> {
  const files = await hashAll(directory, names);
  const planned = [];
  for (const file of files) {
    const { parts, uploadId } = await store.transfers.plan(prefix + file.path, file, uploads.get(file.path) ?? null);
    if (uploadId !== null) uploads.set(file.path, uploadId);
    planned.push({ file: join(directory, file.path), parts });
  }
  onPlanned();
  await uploadFiles(planned, { signal: never });
  for (const file of files) {
    const uploadId = uploads.get(file.path);
    if (uploadId !== undefined) await store.transfers.complete(prefix + file.path, file, uploadId);
    else if ((await store.head(prefix + file.path))?.size !== file.size) throw new Error(`${file.path} is not stored`);
  }
  return files;
}

/** And its way down: verified as it comes. */
export async function downloadAll(store: BenchStore, files: readonly CheckpointFile[], prefix: string, into: string) {
  const wanted = [];
  for (const expected of files) {
    const url = await store.transfers.link(prefix + expected.path, { seconds: 3600, audience: 'trainer' });
    wanted.push({ url, file: join(into, expected.path), expected });
  }
  await downloadFiles(wanted, { signal: never, durable: false });
}
