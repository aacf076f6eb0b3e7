import { cleanText } from '../sinks/render-line.ts';

const MAX_LENGTH = 300;

/** vLLM puts the process, a level, a time and a place before each line, also before those of a stack. */
const PREFIX =
  /^(?:\([\w ]+ pid=\d+\) ?)?(?:(?:DEBUG|INFO|WARNING|ERROR) \d\d-\d\d \d\d:\d\d:\d\d (?:\.{3} ?)?\[[^\]]+\] ?)?/;
/** Says that something was said before. */
const ECHO = /See root cause above|EngineCore failed to start|WorkerProc failed to start/;

/**
 * The line of what a program printed that says most likely why it ended: the last one that speaks of an error, else the last one. Indented lines
 * (stack frames) do not count, control characters are taken out. Null when it printed nothing.
 */
export function lastWords(output: string): string | null {
  const lines = output
    .split('\n')
    .map((line) => cleanText(line).trimEnd().replace(PREFIX, ''))
    .filter((line) => line !== '' && !/^\s/.test(line) && !ECHO.test(line));
  const line = lines.findLast((each) => /error|fatal|abort|refus|cannot|killed/i.test(each)) ?? lines.at(-1);
  if (line === undefined) return null;
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line;
}
