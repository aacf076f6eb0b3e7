import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { JsonRefusedError, parseBoundedJson } from '../../platform/bounded-json.ts';
import { recoverJson } from './recover-json.ts';
import { judgeLog, NoTrainingLogError, type TrainingLog } from './training-log.ts';

/** A log file that cannot be read: why, and what to do, after its name. */
export class LogFileError extends Error {
  override readonly name = 'LogFileError';
  /** Whether there is nothing to read, rather than something that is no training log. */
  readonly isMissing: boolean;
  constructor(message: string, isMissing: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isMissing = isMissing;
  }
}

export interface LogFile {
  log: TrainingLog;
  /** What is wrong with the file although it could be read, after its name; null when nothing is. */
  damage: string | null;
}

/** Rows of a million steps are about 130 MB. */
const MAX_BYTES = 256 * 2 ** 20;
const MAX_DEPTH = 64;

/** Reads a `training_log.json`. What was cut off is read as far as it is whole. @throws LogFileError */
export async function readLogFile(path: string): Promise<LogFile> {
  return parseLog(await readText(path), path);
}

/** The same from the text of a file. @throws LogFileError */
export function parseLog(text: string, path: string): LogFile {
  if (text.trim() === '')
    throw refusal(
      path,
      'is empty: the disk was full, or nothing has been written yet; look again in a moment, or ask the run by its id',
    );
  if (text.includes('\u0000', 0) && text.replaceAll('\u0000', '').trim() === '')
    throw refusal(path, 'holds zeros alone, as after a power cut; ask the run by its id, whose records are kept apart');
  // Before it is read through: it may be a program of a hundred megabytes.
  if (!/^\s*\{/.test(text))
    throw refusal(path, 'is no JSON object, so no training log; give the training_log.json of a run');
  try {
    return { log: judgeLog(parseBoundedJson(text, MAX_DEPTH, 'word')), damage: null };
  } catch (error) {
    if (error instanceof NoTrainingLogError) throw refusal(path, error.message, error);
    if (!(error instanceof JsonRefusedError)) throw error;
    return recovered(text, path, error);
  }
}

function recovered(text: string, path: string, cause: JsonRefusedError): LogFile {
  const whole = recoverJson(text);
  try {
    const log = judgeLog(parseBoundedJson(whole ?? '', MAX_DEPTH, 'word'));
    const read = `${log.train.length} training and ${log.validation.length} validation entries could be read`;
    return { log, damage: `was cut off: ${read}. The run's records have all of them: ask it by its id` };
  } catch (error) {
    if (error instanceof NoTrainingLogError)
      throw refusal(
        path,
        'was cut off before its first entry; ask the run by its id, whose records have them all',
        error,
      );
    const why =
      error instanceof JsonRefusedError && cause.message.startsWith('is nested')
        ? cause.message
        : 'is damaged in its middle';
    throw refusal(path, `${why}; ask the run by its id, or restore the file`, error);
  }
}

async function readText(path: string): Promise<string> {
  // Without O_NONBLOCK the opening of a pipe waits for somebody who writes into it.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    throw new LogFileError(`${path} ${whyNotOpened(error)}`, true, { cause: error });
  });
  try {
    const stat = await file.stat();
    if (stat.isDirectory())
      throw refusal(path, `is a directory; give the file in it: ${join(path, 'training_log.json')}`);
    if (!stat.isFile())
      throw refusal(path, 'is no regular file but a pipe, a socket or a device; write the log into a file first');
    if (stat.size > MAX_BYTES)
      throw refusal(path, `has ${stat.size} bytes, more than the ${MAX_BYTES} that are read; ask the run by its id`);
    return (await file.readFile('utf8')).replace(/^\ufeff/, '');
  } finally {
    await file.close();
  }
}

function whyNotOpened({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'does not exist; the log of a run is outputs/<run>/training_log.json, written at its first step, validation or end';
    case 'EACCES':
    case 'EPERM':
      return 'may not be read by you; ask its owner, or chmod a+r it';
    default:
      return `cannot be opened: ${message}`;
  }
}

function refusal(path: string, message: string, cause?: unknown): LogFileError {
  return new LogFileError(`${path} ${message}`, false, { cause });
}
