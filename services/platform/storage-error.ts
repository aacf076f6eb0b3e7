/** What keeps a disk or an object store from doing what it is asked to, in words, with the remedy. */
export interface StorageFault {
  /** `full` passes once there is space, `unreachable` may pass by itself; the others need somebody. */
  kind: 'full' | 'read_only' | 'failing' | 'unreachable' | 'refused';
  message: string;
}

/** An object store cannot do what it was asked to, for a reason that is not the caller's. */
export class StorageFaultError extends Error {
  readonly fault: StorageFault;
  constructor(fault: StorageFault, options: ErrorOptions) {
    super(`${fault.message.charAt(0).toUpperCase()}${fault.message.slice(1)}.`, options);
    this.name = 'StorageFaultError';
    this.fault = fault;
  }
}

const FULL: StorageFault = { kind: 'full', message: 'the disk is full; free space on it' };
const READ_ONLY: StorageFault = {
  kind: 'read_only',
  message: 'the file system is read-only; mount it for writing, or choose another directory',
};
const FAILING: StorageFault = {
  kind: 'failing',
  message: 'the disk answers with input/output errors; look at the log of the kernel (dmesg) and replace it',
};

const faults: Readonly<Record<string, StorageFault>> = {
  ENOSPC: FULL,
  EDQUOT: { kind: 'full', message: 'the disk quota is used up; free space or raise it' },
  SQLITE_FULL: FULL,
  EROFS: READ_ONLY,
  SQLITE_READONLY: READ_ONLY,
  EIO: FAILING,
  SQLITE_IOERR: FAILING,
};

/** Whether an error, or one that caused it, came from the disk or the object store rather than from us; null when it did not. */
export function storageFault(error: unknown): StorageFault | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof StorageFaultError) return at.fault;
    const { code, sqliteCodeName } = at as Error & { code?: unknown; sqliteCodeName?: unknown };
    for (const name of [code, sqliteCodeName]) {
      const fault = typeof name === 'string' && Object.hasOwn(faults, name) ? faults[name] : undefined;
      if (fault !== undefined) return fault;
    }
  }
  return null;
}
