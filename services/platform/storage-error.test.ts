import { describe, expect, it } from 'vitest';
import { StorageFaultError, storageFault } from './storage-error.ts';

const withCode = (fields: object, cause?: unknown) => Object.assign(new Error('failed', { cause }), fields);

describe('storageFault', () => {
  it.each([
    [{ code: 'ENOSPC' }, 'full', 'free space'],
    [{ code: 'EDQUOT' }, 'full', 'quota'],
    [{ code: 'ERR_SQLITE_ERROR', sqliteCodeName: 'SQLITE_FULL' }, 'full', 'free space'],
    [{ code: 'EROFS' }, 'read_only', 'mount it for writing'],
    [{ code: 'ERR_SQLITE_ERROR', sqliteCodeName: 'SQLITE_READONLY' }, 'read_only', 'mount it for writing'],
    [{ code: 'EIO' }, 'failing', 'dmesg'],
  ])('%j is %s', (fields, kind, remedy) => {
    expect(storageFault(withCode(fields))).toMatchObject({ kind, message: expect.stringContaining(remedy) });
  });

  it('finds the disk below errors that were explained on the way', () => {
    expect(storageFault(withCode({}, withCode({ code: 'ENOSPC' })))?.kind).toBe('full');
  });

  it('finds what an object store refuses, with the remedy as a sentence', () => {
    const fault = { kind: 'refused', message: 'the store denies access; allow it' } as const;
    const error = new StorageFaultError(fault, { cause: withCode({ code: 'ENOSPC' }) });
    expect(error.message).toBe('The store denies access; allow it.');
    expect(storageFault(withCode({}, error))).toBe(fault);
  });

  it('does not blame the disk for anything else', () => {
    for (const error of [withCode({ code: 'ENOENT' }), withCode({ code: 'constructor' }), new Error('x'), 'ENOSPC'])
      expect(storageFault(error)).toBeNull();
  });
});
