/**
 * How a transfer went wrong. `unreachable` may pass (no connection, a timeout, 5xx, 429); `expired`: the URL holds no longer, or the upload is gone,
 * so fresh URLs are needed; `damaged`: other bytes than announced; `wrong_size`: another size than announced; `missing`: the store says that no such
 * object is there; `full`: the store has no space; `refused` will not change by itself.
 */
export type TransferErrorKind = 'unreachable' | 'expired' | 'damaged' | 'wrong_size' | 'missing' | 'full' | 'refused';

/** The message names the place without its query, which is a key. */
export class TransferError extends Error {
  readonly kind: TransferErrorKind;

  constructor(kind: TransferErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TransferError';
    this.kind = kind;
  }
}

/** Codes of S3 errors that decide before their status does. */
const byCode: Readonly<Record<string, TransferErrorKind>> = {
  BadDigest: 'damaged',
  InvalidDigest: 'damaged',
  XAmzContentChecksumMismatch: 'damaged',
  XAmzContentSHA256Mismatch: 'damaged',
  IncompleteBody: 'unreachable',
  RequestTimeout: 'unreachable',
  OperationAborted: 'unreachable',
  ExpiredToken: 'expired',
  NoSuchUpload: 'expired',
  NoSuchKey: 'missing',
  XMinioStorageFull: 'full',
};

/** What an answer that is no success means. `code` is the `<Code>` of an S3 error, where it has one. */
export function refusedTransfer(url: string, status: number, code: string | undefined): TransferError {
  const said = `${placeOf(url)} answered ${status}${code === undefined ? '' : ` ${code}`}`;
  const kind = (code === undefined ? undefined : byCode[code]) ?? byStatus(status, code);
  return new TransferError(kind, said + (hints[kind] ?? ''));
}

const hints: Partial<Record<TransferErrorKind, string>> = {
  expired:
    '; the URL holds no longer, ask for a fresh one. If that is refused too, compare the clocks of both machines',
  damaged: '; the bytes were changed on the way, or the file was',
  full: '; the store is full, free space there',
};

function byStatus(status: number, code: string | undefined): TransferErrorKind {
  if (status === 403) return 'expired';
  // A proxy that has lost its server answers so: that says nothing about the object.
  if (status === 404 && code === undefined) return 'unreachable';
  if (status === 507) return 'full';
  return status >= 500 || status === 429 || status === 408 ? 'unreachable' : 'refused';
}

/** Where a URL leads, for messages. */
export function placeOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}
