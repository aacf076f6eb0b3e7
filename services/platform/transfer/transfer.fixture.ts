import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CheckpointFile } from '../../contracts/checkpoint.ts';
import { removeTree } from '../testing/remove-tree.ts';
import { type StoreServer, startStoreServer } from '../testing/store-server.ts';
import { hashFile } from './hash-file.ts';

export const KIB = 1024;
export const PART = 64 * KIB;
/** Waits of tests. */
export const quick = { tries: 7, baseMs: 1, maxMs: 5 } as const;

/** A store and a folder, for tests of transfers. */
export interface TransferTest {
  readonly store: StoreServer;
  readonly directory: string;
  /** A file of random bytes, cut into parts of 64 KiB unless it has no more than that. */
  file(size: number, name?: string): Promise<{ path: string; bytes: Buffer; said: CheckpointFile }>;
  close(): Promise<void>;
}

export async function startTransferTest(): Promise<TransferTest> {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-transfer-'));
  const store = await startStoreServer();
  return {
    store,
    directory,
    async file(size, name = 'model.bin') {
      const path = join(directory, name);
      const bytes = randomBytes(size);
      writeFileSync(path, bytes);
      const handle = await open(path);
      const said = { path: name, ...(await hashFile(handle, size > PART ? PART : null)) };
      await handle.close();
      return { path, bytes, said };
    },
    async close() {
      await store.close();
      await removeTree(directory);
    },
  };
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
