import type { Redactor } from '../../platform/redaction.ts';
import type { RoleIdentity, Runtime } from '../runtimes/runtime.ts';
import { lastWords } from './last-words.ts';

/** Enough for the stack traces of a server with eight workers, each of which says why it ended. */
const OUTPUT_TAIL_BYTES = 128 * 1024;

/** The end of what a role printed, without secrets. */
export async function outputTail(
  speaker: RoleIdentity,
  { runtime, redactor }: { runtime: Pick<Runtime, 'output'>; redactor: Redactor },
): Promise<string> {
  return redactor.text(await runtime.output(speaker, OUTPUT_TAIL_BYTES));
}

/** ` It printed: …` for the end of a message, or nothing for a role that printed nothing. */
export function quoteOutput(output: string): string {
  const words = lastWords(output);
  return words === null ? '' : ` It printed: ${words}`;
}
