import { mkdirSync } from 'node:fs';
import type winston from 'winston';
import DailyRotateFile from 'winston-daily-rotate-file';

/** Between a failure and the next try; lines that come in between are lost to the file. */
const RETRY_MS = 5000;

/**
 * Gives a log its file, and a new one in place of one that failed. A stream whose disk was full for one line takes no other line ever again, and
 * its error would end the process, so both are seen to here. The returned function is to be called before each line.
 */
export function keepLogFile(
  root: winston.Logger,
  {
    directory,
    name,
    format,
    now = () => performance.now(),
  }: { directory: string; name: string; format: winston.Logform.Format; now?: () => number },
): () => void {
  let retryAt: number | null = null;

  const open = () => {
    mkdirSync(directory, { recursive: true });
    const transport = new DailyRotateFile({
      dirname: directory,
      filename: `${name}-%DATE%`,
      extension: '.log',
      datePattern: 'YYYY-MM-DD',
      utc: true,
      maxSize: '20m',
      maxFiles: 14,
      auditFile: `${directory}/.${name}-files.json`,
      format,
    });
    transport.on('error', () => undefined);
    transport.logStream.on('error', () => {
      if (!root.transports.includes(transport)) return;
      root.remove(transport);
      retryAt = now() + RETRY_MS;
    });
    root.add(transport);
  };

  open();
  return () => {
    if (retryAt === null || now() < retryAt) return;
    try {
      open();
      retryAt = null;
    } catch {
      // The file is lost, the terminal has the line.
      retryAt = now() + RETRY_MS;
    }
  };
}
