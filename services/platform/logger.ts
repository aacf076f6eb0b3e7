import winston from 'winston';
import DailyRotateFile from 'winston-daily-rotate-file';
import { keepLogFile } from './log-file.ts';
import { createRedactor, type Redactor } from './redaction.ts';

export type LogFields = Readonly<Record<string, unknown>>;

/** A service's own log. An `error` among the fields is written with its stack to the file and with its message alone to the terminal. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log, with fields that every line carries. */
  child(fields: LogFields): Logger;
  /** Ends the log; resolves when every line is handed to the operating system. */
  close(): Promise<void>;
}

export interface LoggerOptions {
  level: 'debug' | 'info' | 'warn' | 'error';
  /** Terminal lines as JSON instead of `2026-11-20 09:00:00 - INFO - message`. */
  json?: boolean;
  /** JSON lines in `<directory>/<name>-<day>.log`, a new file each day and each 20 MiB, the newest 14 kept. */
  file?: { directory: string; name: string };
  /** What hides secrets in its lines; by default those that can be told by their looks. */
  redactor?: Redactor;
  /** Where terminal lines go; standard error by default, so that standard output stays for a program's results. */
  terminal?: NodeJS.WritableStream | null;
}

/** Opens a service's log. */
export function createLogger({
  level,
  json = false,
  file,
  redactor = createRedactor({}),
  terminal = process.stderr,
}: LoggerOptions): Logger {
  const redact = redactor.text;
  const root = winston.createLogger({ level, levels: winston.config.npm.levels });
  const asJson = winston.format.printf((info) => jsonLine(info, redact));
  const asText = winston.format.printf((info) => textLine(info, redact));
  if (terminal !== null) {
    root.add(new winston.transports.Stream({ stream: terminal, format: json ? asJson : asText }));
  }
  for (const transport of root.transports) transport.on('error', () => undefined);
  const tendFile = file === undefined ? () => undefined : keepLogFile(root, { ...file, format: asJson });
  if (root.transports.length === 0) root.silent = true;
  return wrap({ root, tendFile }, {}, () => close(root));
}

interface Root {
  root: winston.Logger;
  tendFile: () => void;
}

function wrap({ root, tendFile }: Root, bound: LogFields, end: () => Promise<void>): Logger {
  const write =
    (level: string) =>
    (message: string, fields: LogFields = {}) => {
      tendFile();
      root.log({ level, message, fields: { ...bound, ...fields }, time: new Date().toISOString() });
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => wrap({ root, tendFile }, { ...bound, ...fields }, end),
    close: end,
  };
}

async function close(root: winston.Logger): Promise<void> {
  const files = root.transports.filter((transport) => transport instanceof DailyRotateFile);
  const ended = files.map((transport) => new Promise((resolve) => transport.once('finish', resolve)));
  root.close();
  await Promise.all(ended);
}

interface Line {
  level: string;
  message: unknown;
  fields: LogFields;
  time: string;
}

type Redact = (text: string) => string;

/** Secrets are hidden in each text on its own, where nothing is escaped yet, and in the whole line, where field names stand beside values. */
function jsonLine(info: winston.Logform.TransformableInfo, redact: Redact): string {
  const { level, message, fields, time } = info as unknown as Line;
  return redact(toJson({ timestamp: time, level: level.toUpperCase(), message, ...fields }, redact));
}

function textLine(info: winston.Logform.TransformableInfo, redact: Redact): string {
  const { level, message, fields, time } = info as unknown as Line;
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${short(value, redact)}`);
  const text = `${message}${rest.join('')}`.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
  return redact(`${time.slice(0, 10)} ${time.slice(11, 19)} - ${level.toUpperCase()} - ${text}`);
}

function short(value: unknown, redact: Redact): string {
  if (value instanceof Error) return value.message;
  return typeof value === 'string' ? value : toJson(value, redact);
}

function toJson(value: unknown, redact: Redact): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each === 'string') return redact(each);
    if (typeof each === 'bigint') return each.toString();
    if (!(each instanceof Error)) return each;
    const { name, message, stack, cause } = each;
    return { name, message, stack, ...(cause === undefined ? {} : { cause }) };
  });
}
