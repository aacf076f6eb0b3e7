import { z } from 'zod';
import type { ChatMessage } from '../../../model/tokenizer.ts';
import { type Row, RowError } from '../row.ts';
import { messages, parseColumns, text } from './row-schema.ts';

/** A prompt and its answer, checked but not yet tokenised. */
export interface Example {
  readonly id: string;
  readonly messages: readonly ChatMessage[];
  /** Whether the row gave bare text as `prompt`: without a chat template it is used as it stands. */
  readonly plain: boolean;
  /** What the model should answer; null when the row has neither `completion` nor `answer`. */
  readonly answer: string | null;
}

const schema = z.looseObject({
  id: text.nullish(),
  prompt: z.string().min(1, 'is empty').nullish(),
  messages: messages.nullish(),
  completion: text.nullish(),
  answer: text.nullish(),
});

const REMEDY = 'Give each line as {"prompt": "...", "answer": "..."} or {"messages": [...], "completion": "..."}.';

/** @throws RowError */
export function parseExample(row: Row): Example {
  const refuse = (problem: string, remedy = REMEDY) => new RowError(row.place, problem, remedy);
  const parsed = parseColumns(row, schema, REMEDY);
  const prompt = parsed.prompt ?? undefined;
  const conversation = parsed.messages ?? undefined;
  if (prompt !== undefined && conversation !== undefined) throw refuse('has both prompt and messages; keep one');
  const id = parsed.id ?? row.place.name;
  const answer = parsed.answer ?? parsed.completion ?? null;
  if (answer === '') throw refuse('the answer is empty');
  if (prompt !== undefined) return { id, messages: [{ role: 'user', content: prompt }], plain: true, answer };
  if (conversation !== undefined) return { id, plain: false, ...splitAnswer(conversation, answer, refuse) };
  const has = Object.keys(row.columns).slice(0, 20).join(', ');
  throw refuse(
    `has neither prompt nor messages${has === '' ? '' : ` (it has ${has})`}`,
    `${REMEDY} Columns of other names are named in data.columns.`,
  );
}

/** A conversation without an answer of its own ends with it, as the assistant's last message. */
function splitAnswer(
  conversation: ChatMessage[],
  answer: string | null,
  refuse: (problem: string) => RowError,
): Pick<Example, 'messages' | 'answer'> {
  const last = conversation.at(-1)!;
  if (answer !== null || last.role !== 'assistant') return { messages: conversation, answer };
  if (conversation.length === 1) throw refuse('messages has only an assistant message: there is nothing to answer');
  if (last.content === '') throw refuse('the answer is empty');
  return { messages: conversation.slice(0, -1), answer: last.content };
}

/** @throws RowError for a row without an answer */
export function requireAnswer(row: Row, { answer }: Example): string {
  if (answer !== null) return answer;
  throw new RowError(
    row.place,
    'has neither completion nor answer',
    'Add what the model should answer to the line, or name its column in data.columns.',
  );
}
