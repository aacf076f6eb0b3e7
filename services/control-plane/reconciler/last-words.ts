import { cleanText } from '../sinks/render-line.ts';

const MAX_LENGTH = 300;

/**
 * The line of what a program printed that says most likely why it ended: the last one that speaks of an error, else the last one. Indented lines
 * (stack frames) do not count, control characters are taken out. Null when it printed nothing.
 */
export function lastWords(output: string): string | null {
  const lines = output
    .split('\n')
    .map((line) => cleanText(line).trimEnd())
    .filter((line) => line !== '' && !/^\s/.test(line));
  const line = lines.findLast((each) => /error|fatal|abort|refus|cannot|killed/i.test(each)) ?? lines.at(-1);
  if (line === undefined) return null;
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line;
}
