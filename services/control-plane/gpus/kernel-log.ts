import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** The most that one record of `/dev/kmsg` has; with less room a read fails. */
const RECORD_BYTES = 8192;
/** A ring of 16 MiB, far more than kernels have. */
const MOST_RECORDS = 100_000;

/**
 * Everything in the kernel's log at the moment; null where it may not be read, as in most containers. Each read of `/dev/kmsg` gives one record, and at
 * the end it would wait for the next.
 */
export async function readKmsg(path: string): Promise<string | null> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    let text = '';
    const buffer = Buffer.alloc(RECORD_BYTES);
    for (let records = 0; records < MOST_RECORDS; records += 1) {
      const { bytesRead } = await file.read(buffer, 0, RECORD_BYTES, null).catch((error: NodeJS.ErrnoException) => {
        // Overwritten while it was read: the next read goes on with what is there.
        if (error.code === 'EPIPE') return { bytesRead: -1 };
        return { bytesRead: 0 };
      });
      if (bytesRead === 0) break;
      if (bytesRead > 0) text += buffer.toString('utf8', 0, bytesRead);
    }
    return text;
  } finally {
    await file.close();
  }
}
