import { z } from 'zod';
import { explainIssue } from '../../contracts/explain-issue.ts';
import type { ChatMessage } from '../../model/tokenizer.ts';
import { TrainerError } from '../failure.ts';
import type { Example } from './dataset.ts';

/** Data sets carry all kinds of further columns: they are ignored. */
const text = z.union([z.string(), z.number().transform(String)]);
const messageSchema = z.looseObject({ role: z.string().min(1), content: z.string() });
const lineSchema = z.looseObject({
  id: text.optional(),
  prompt: z.string().min(1, 'is empty').optional(),
  messages: z.array(messageSchema).min(1, 'is empty').optional(),
  completion: text.optional(),
  answer: text.optional(),
});

const REMEDY = 'Give each line as {"prompt": "...", "answer": "..."} or {"messages": [...], "completion": "..."}.';

/** @throws TrainerError `invalid_data` that names the file, the line and the field. */
export function parseExample(
  line: string,
  at: { readonly path: string; readonly number: number; readonly set: string },
): Example {
  const refuse = (problem: string): TrainerError =>
    new TrainerError('invalid_data', `${at.path}:${at.number}: ${problem}`, REMEDY);
  const document = parseJson(line, refuse);
  if (typeof document !== 'object' || document === null || Array.isArray(document)) throw refuse('is no JSON object');
  const parsed = lineSchema.safeParse(document);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw refuse(`${issue.path.join('.')}: ${explainIssue(issue, document)}`);
  }
  const { prompt, messages } = parsed.data;
  if (prompt !== undefined && messages !== undefined) throw refuse('has both prompt and messages; keep one');
  const id = parsed.data.id ?? `${at.set}_${at.number}`;
  const answer = parsed.data.answer ?? parsed.data.completion ?? null;
  if (answer === '') throw refuse('the answer is empty');
  if (prompt !== undefined) {
    return { id, line: at.number, messages: [{ role: 'user', content: prompt }], plain: true, answer };
  }
  if (messages === undefined) throw refuse('has neither prompt nor messages');
  return { id, line: at.number, plain: false, ...splitAnswer(messages.map(bare), answer, refuse) };
}

/** A conversation without an answer of its own ends with it, as the assistant's last message. */
function splitAnswer(messages: ChatMessage[], answer: string | null, refuse: (problem: string) => TrainerError) {
  const last = messages.at(-1)!;
  if (answer !== null || last.role !== 'assistant') return { messages, answer };
  if (messages.length === 1) throw refuse('messages has only an assistant message: there is nothing to answer');
  return { messages: messages.slice(0, -1), answer: last.content };
}

function bare({ role, content }: { role: string; content: string }): ChatMessage {
  return { role, content };
}

function parseJson(line: string, refuse: (problem: string) => TrainerError): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw refuse(`is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
