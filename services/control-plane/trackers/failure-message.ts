import { storageFault } from '../../platform/storage-error.ts';

/** What people are told of a failure: where it was the disk, with what helps; errors of trackers say that themselves. */
export function failureMessage(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const fault = storageFault(error);
  return fault === null ? message : `${message}: ${fault.message}; then it goes on by itself`;
}
