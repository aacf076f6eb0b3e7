import { z } from 'zod';
import { explainIssue } from '../../../contracts/explain-issue.ts';
import type { ChatMessage } from '../../../model/tokenizer.ts';
import { type Row, RowError } from '../row.ts';

/** Numbers are taken as they are written. */
export const text = z.union([z.string(), z.number().transform(String)], { error: 'must be a text or a number' });
export const messages = z
  .array(
    z.preprocess(
      asMessage,
      z
        .looseObject({ role: z.string().min(1), content: z.string() })
        .transform(({ role, content }): ChatMessage => ({ role, content })),
    ),
  )
  .min(1, 'is empty');

const shareGptRoles: Readonly<Record<string, string>> = {
  human: 'user',
  user: 'user',
  gpt: 'assistant',
  assistant: 'assistant',
  system: 'system',
};

/** A message as ShareGPT writes it, `{from, value}`, in the names that chat templates know. */
function asMessage(entry: unknown): unknown {
  if (typeof entry !== 'object' || entry === null || 'role' in entry || !('from' in entry)) return entry;
  const { from, value } = entry as { from: unknown; value?: unknown };
  return { role: typeof from === 'string' ? (shareGptRoles[from] ?? from) : from, content: value };
}

/** Data sets carry all kinds of further columns, which are ignored. @throws RowError that names the column */
export function parseColumns<S extends z.ZodType>(row: Row, schema: S, remedy: string): z.output<S> {
  const parsed = schema.safeParse(row.columns);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new RowError(row.place, `${issue.path.join('.')}: ${explainIssue(issue, row.columns)}`, remedy);
}
