import type { CheckpointFile } from '../../contracts/checkpoint.ts';
import { UploadIncompleteError, type UploadPart } from '../object-store.ts';
import { openMemoryStore } from './memory-store.ts';
import type { PresignedServer } from './presigned-server.ts';

export type { StoreFault, StoreRequest } from './presigned-server.ts';

/** A store in memory for tests of those who send and fetch: it also does what a control plane does to plan and join an upload. */
export interface StoreServer extends Omit<PresignedServer, 'uploads' | 'sign'> {
  /** What is still to be sent of a file; with other content than before it begins anew. */
  plan(key: string, file: Pick<CheckpointFile, 'size' | 'sha256' | 'parts'>): UploadPart[];
  /** Makes an object of the parts that were sent; undefined when some are missing. */
  complete(key: string): Buffer | undefined;
  /** Loses a part that was sent, counted from 1. */
  forget(key: string, part: number): void;
  link(key: string): string;
}

export async function startStoreServer(): Promise<StoreServer> {
  const { server, plan, complete } = await openMemoryStore();
  type Announced = { file: Parameters<StoreServer['plan']>[1]; uploadId: string | null };
  const announced = new Map<string, Announced>();
  return Object.assign(server, {
    plan(key: string, file: Announced['file']): UploadPart[] {
      const before = announced.get(key);
      const same = before?.file.sha256 === file.sha256;
      if (same && server.objects.has(key)) return [];
      const { uploadId, parts } = plan(key, file, same ? before.uploadId : null);
      announced.set(key, { file, uploadId });
      return parts;
    },
    complete(key: string): Buffer | undefined {
      const { file, uploadId } = announced.get(key) ?? {};
      try {
        if (file !== undefined && typeof uploadId === 'string') complete(key, file, uploadId);
      } catch (error) {
        if (!(error instanceof UploadIncompleteError)) throw error;
        return undefined;
      }
      return server.objects.get(key);
    },
    forget: (key: string, part: number) =>
      void server.uploads.get(announced.get(key)?.uploadId ?? '')?.parts.delete(part),
    link: (key: string) => server.sign({ key, method: 'GET', until: Number.POSITIVE_INFINITY }),
  });
}
