type Process = Pick<NodeJS.Process, 'on' | 'off' | 'exit'>;

/**
 * Ends the process in order on SIGTERM or SIGINT: `close` runs once and the process exits with 0, or with 1 when it fails or takes longer than
 * `deadlineMs`. A second signal exits at once. The returned function takes the handlers off again.
 */
export function onShutdown({
  close,
  failed,
  deadlineMs,
  process: target = process,
}: {
  close: (signal: NodeJS.Signals) => Promise<void>;
  failed: (error: unknown) => void;
  deadlineMs: number;
  process?: Process;
}): () => void {
  let closing = false;
  const end = (signal: NodeJS.Signals) => {
    if (closing) {
      target.exit(signal === 'SIGINT' ? 130 : 143);
      return;
    }
    closing = true;
    const overdue = setTimeout(() => {
      failed(new Error(`still not closed after ${deadlineMs / 1000} s`));
      target.exit(1);
    }, deadlineMs);
    close(signal).then(
      () => {
        clearTimeout(overdue);
        target.exit(0);
      },
      (error: unknown) => {
        clearTimeout(overdue);
        failed(error);
        target.exit(1);
      },
    );
  };
  target.on('SIGTERM', end);
  target.on('SIGINT', end);
  return () => {
    target.off('SIGTERM', end);
    target.off('SIGINT', end);
  };
}
