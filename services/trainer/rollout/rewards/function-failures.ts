import { ScoringError } from './scorer.ts';

/*
 * What can become of a call of a user's function, each in words that follow the name of the function, with its remedy.
 */

const MEND = 'Mend the function, then resume; once there are checkpoints, with fork: true.';

/** V8's last words begin with this line; its own stack comes after it, and is of no use to anybody here. */
export const V8_STARVED = /^FATAL ERROR: .*(?:out of memory|Allocation failed)/m;
const V8_STACK = /^\s*\d+: 0x[\da-f]+\b|^-{3,}|^<-{2,}|^#/;
const STARVED = /\b\w*MemoryError\b|std::bad_alloc/;

export function threw(error: string): ScoringError {
  return new ScoringError(`threw ${error}`, MEND);
}

export function notLoaded(error: string): ScoringError {
  return new ScoringError(`cannot be loaded: ${error}`, 'Mend the file, or the name of the function, then resume.');
}

export function tooSlowToLoad(milliseconds: number): ScoringError {
  return new ScoringError(
    `was not loaded after ${milliseconds / 1000} s`,
    'Let the file do less when it is imported: what takes long can wait for the first call.',
  );
}

export function tooSlow(milliseconds: number): ScoringError {
  return new ScoringError(
    `gave no scores within ${milliseconds / 1000} s`,
    'Raise timeout of the reward, or make the function faster: one call is for all completions of a task.',
  );
}

export function outOfMemory(memoryMb: number, isPython: boolean): ScoringError {
  const reserved = isPython ? ' What libraries reserve counts as well: with torch it takes 8192 or more.' : '';
  return new ScoringError(
    `ran out of memory: its process may use ${memoryMb} MiB (memory_mb)`,
    `Raise memory_mb of the reward, or let the function keep less at a time.${reserved}`,
  );
}

export function spokeAside(line: string): ScoringError {
  return new ScoringError(
    `wrote ${JSON.stringify(line.slice(0, 80))} to descriptor 3, which is for replies`,
    'Let the function leave descriptor 3 alone; what it prints belongs on standard output.',
  );
}

export function closed(): ScoringError {
  return new ScoringError('is closed', 'Resume the run.');
}

export function notStarted(command: string, error: Error): ScoringError {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
    return new ScoringError(`cannot be started: ${error.message}`, `Look whether ${command} may be executed.`);
  return new ScoringError(
    `cannot be started: ${command} is not in the image of the trainer, nor else on its PATH`,
    `Take an image that has ${command} (Tandem's has it when it is built on a Debian image), install it where there are no containers, or write the function in JavaScript.`,
  );
}

/** @param printed the end of what it printed; `starved`: V8 said that its heap is full */
export function explainEnd(
  { printed, starved }: { readonly printed: string; readonly starved: boolean },
  how: {
    readonly code: number | null;
    readonly killed: string | null;
    readonly isPython: boolean;
    readonly memoryMb: number;
  },
): ScoringError {
  const lines = printed.split('\n').filter((line) => line.trim() !== '' && !V8_STACK.test(line));
  const words = lines.slice(-3).join(' | ').trim();
  if (starved || STARVED.test(words)) return outOfMemory(how.memoryMb, how.isPython);
  const what = `ended with ${how.killed ?? how.code}${words === '' ? '' : `: ${words}`}`;
  if (how.killed !== 'SIGKILL')
    return new ScoringError(what, 'Let the function return or throw, and not end its process.');
  return new ScoringError(what, 'Look whether the machine ran out of memory, for which the system kills processes.');
}
