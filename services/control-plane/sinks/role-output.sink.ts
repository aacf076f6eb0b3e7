import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Role, roles } from '../../contracts/run.ts';
import type { Redactor } from '../../platform/redaction.ts';
import { readPrinted } from '../runtimes/kept-output.ts';
import type { RoleOutput, Runtime } from '../runtimes/runtime.ts';
import { LONGEST_LINE, lineOf, type PrintedLine, printedLines } from './printed-lines.ts';
import type { LogLimits } from './rotated-files.ts';
import { openRotatingFile, type RotatingFile } from './rotating-file.ts';
import type { Sink, SinkTarget } from './sink.ts';

/** What a role prints by itself, beside what the trainer records. */
export const outputFiles: Readonly<Record<Role, string>> = { inference: 'inference.log', trainer: 'trainer.out.log' };

/** Where what the roles of a run print is shown in its tree. */
export function roleOutputPaths({ tree }: Pick<SinkTarget, 'tree'>): { role: Role; path: string }[] {
  return roles.map((role) => ({ role, path: join(tree, 'logs', outputFiles[role]) }));
}

const PAGE = 1 << 18;
const NEWLINE = Buffer.from('\n');
/** How long programs that are ending may print on after their run is over. */
const ENDING_MS = 5000;
/** How often it is looked what programs have printed. */
const LOOK_OFTEN_MS = 1000;
const LOOK_MS = 100;

export interface RoleOutputOptions {
  target: SinkTarget;
  runtime: Pick<Runtime, 'outputs'>;
  role: Role;
  path: string;
  logs: readonly string[];
  limits: LogLimits;
  redactor: Redactor;
  now: () => number;
}

/**
 * `inference.log` or `trainer.out.log`: what the programs of a role print, of all their starts in all attempts, as JSON lines
 * `{"timestamp","role","message","attempt","start","n","run"}`. `n` is the place behind the line in all that this start has printed, so a writer that was
 * killed goes on from its last line. `timestamp` is when it was copied. Of what a runtime no longer keeps, a line says how much is missing.
 */
export function createRoleOutputSink(options: RoleOutputOptions): Sink {
  const { target, runtime, role, path, logs, limits, redactor, now } = options;
  let output: RotatingFile | null = null;
  let places = new Map<string, number>();
  let done = new Set<string>();

  const open = async () => {
    const opened = await openRotatingFile({ path, logs, limits });
    places = new Map();
    done = new Set();
    const { last } = opened;
    if (last !== null && last.run !== target.run) {
      throw new Error(`${path} holds what programs of ${last.run} printed; move it away or choose another output_dir.`);
    }
    return opened;
  };

  /** Where to go on in what a start has printed; null when later ones were begun already. */
  const placeOf = ({ identity }: RoleOutput): number | null => {
    const known = places.get(keyOf(identity));
    if (known !== undefined) return known;
    const last = output?.last;
    if (last === null || last === undefined) return 0;
    const order = identity.attempt - last.attempt || identity.start - (last.start ?? 1);
    return order < 0 ? null : order === 0 ? last.n : 0;
  };

  const copy = async (source: RoleOutput, file: RotatingFile, signal: AbortSignal): Promise<void> => {
    for (let from = placeOf(source); from !== null && !signal.aborted; ) {
      const { end, lines } = await readLinesFrom(source, from, redactor.text);
      const { attempt, start } = source.identity;
      const timestamp = new Date(now()).toISOString();
      if (lines.length > 0) {
        await file.append(
          lines.map(({ message, end: n }) =>
            JSON.stringify({ timestamp, role, message, attempt, start, n, run: target.run }),
          ),
        );
      }
      places.set(keyOf(source.identity), end);
      if (end === from && source.ended) done.add(keyOf(source.identity));
      if (end === from) return;
      from = end;
    }
  };

  const catchUp = async (signal: AbortSignal): Promise<boolean> => {
    const sources = (await runtime.outputs(target.run)).filter(({ identity }) => identity.role === role);
    if (sources.length === 0) return true;
    output ??= await open();
    try {
      for (const source of sources.sort(
        (a, b) => a.identity.attempt - b.identity.attempt || a.identity.start - b.identity.start,
      )) {
        if (!done.has(keyOf(source.identity))) await copy(source, output, signal);
      }
    } catch (error) {
      // Part of a batch may have been written; where it ends is read again from the file.
      output = null;
      throw error;
    }
    return sources.every(({ ended }) => ended);
  };

  return {
    name: path,
    wakesOn: [],
    everyMs: LOOK_OFTEN_MS,
    async catchUp(final, signal) {
      let all = await catchUp(signal);
      for (let waited = 0; final && !all && waited < ENDING_MS && !signal.aborted; waited += LOOK_MS) {
        await delay(LOOK_MS);
        all = await catchUp(signal);
      }
    },
  };
}

/** The lines that are whole from a place on, and the place behind them. */
async function readLinesFrom(
  source: RoleOutput,
  from: number,
  redact: (text: string) => string,
): Promise<{ end: number; lines: PrintedLine[] }> {
  const { at, bytes, gap } = await readPrinted(source, from, PAGE);
  const missing: PrintedLine[] =
    at > from ? [{ end: at, message: `... ${at - from} bytes are left out here ...` }] : [];
  const isShort = bytes.length < PAGE;
  const whole = bytes.lastIndexOf(NEWLINE) + 1;
  if (whole > 0 || isShort) {
    const isLast = whole === 0 && (source.ended || gap);
    const lines = printedLines({ at, bytes: isLast ? bytes : bytes.subarray(0, whole), isLast, redact });
    return { end: at + (isLast ? bytes.length : whole), lines: [...missing, ...lines] };
  }
  const long = await readLongLine(source, at, bytes, redact);
  return long === null ? { end: at, lines: missing } : { end: long.end, lines: [...missing, long] };
}

/** A line of more than a page, of which the beginning is kept; null while its end has not been printed. */
async function readLongLine(
  source: RoleOutput,
  at: number,
  first: Buffer,
  redact: (text: string) => string,
): Promise<PrintedLine | null> {
  const kept = Buffer.from(first.subarray(0, 2 * LONGEST_LINE));
  for (let next = at + first.length; ; ) {
    const page = await readPrinted(source, next, PAGE);
    const follows = page.at === next;
    const newline = follows ? page.bytes.indexOf(NEWLINE) : -1;
    if (newline !== -1) return { end: next + newline + 1, message: lineOf(kept, next + newline - at, redact) };
    if (!follows || (page.bytes.length === 0 && source.ended))
      return { end: next, message: lineOf(kept, next - at, redact) };
    if (page.bytes.length === 0) return null;
    next += page.bytes.length;
  }
}

function keyOf({ attempt, start }: { attempt: number; start: number }): string {
  return `${attempt}.${start}`;
}
