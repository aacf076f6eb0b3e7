import { z } from 'zod';
import type { ChatMessage } from '../../../model/tokenizer.ts';
import { FILL_OR_SKIP, giveRow, type Row, RowError } from '../row.ts';
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

const EMPTY = 'the answer is empty';

const schema = z.looseObject({
  id: text.nullish(),
  prompt: z.string().min(1, 'is empty').nullish(),
  messages: messages.nullish(),
  completion: text.nullish(),
  answer: text.nullish(),
});

/** @throws RowError */
export function parseExample(row: Row): Example {
  const remedy = giveRow(
    row.place,
    'prompt and answer',
    '{"prompt": "...", "answer": "..."} or {"messages": [...], "completion": "..."}',
  );
  const refuse = (problem: string, instead = remedy) => new RowError(row.place, problem, instead);
  const parsed = parseColumns({ ...row, columns: withMessages(row.columns) }, schema, remedy);
  const prompt = parsed.prompt ?? undefined;
  const conversation = parsed.messages ?? undefined;
  if (prompt !== undefined && conversation !== undefined) throw refuse('has both prompt and messages; keep one');
  const id = parsed.id ?? row.place.name;
  const answer = parsed.answer ?? parsed.completion ?? null;
  if (answer === '') throw refuse(EMPTY, FILL_OR_SKIP);
  if (prompt !== undefined) return { id, messages: [{ role: 'user', content: prompt }], plain: true, answer };
  if (conversation !== undefined) return { id, plain: false, ...splitAnswer(conversation, answer, refuse) };
  const has = Object.keys(row.columns).slice(0, 20).join(', ');
  throw refuse(
    `has neither prompt nor messages${has === '' ? '' : ` (it has ${has})`}`,
    row.place.isTable ? remedy : `${remedy} Columns of other names are named in data.columns.`,
  );
}

/** ShareGPT calls the column `conversations`; it counts where a row has no prompt or messages. */
function withMessages(columns: Row['columns']): Row['columns'] {
  const { prompt, messages: own, conversations } = columns;
  return conversations == null || prompt != null || own != null ? columns : { ...columns, messages: conversations };
}

/** A conversation without an answer of its own ends with it, as the assistant's last message. */
function splitAnswer(
  conversation: ChatMessage[],
  answer: string | null,
  refuse: (problem: string, remedy?: string) => RowError,
): Pick<Example, 'messages' | 'answer'> {
  const last = conversation.at(-1)!;
  if (answer !== null || last.role !== 'assistant') return { messages: conversation, answer };
  if (conversation.length === 1) throw refuse('messages has only an assistant message: there is nothing to answer');
  if (last.content === '') throw refuse(EMPTY, FILL_OR_SKIP);
  return { messages: conversation.slice(0, -1), answer: last.content };
}

/**
 * @param neededBy what compares with it, such as `the reward exact`
 * @throws RowError for a row without an answer
 */
export function requireAnswer(row: Row, { answer }: Example, neededBy?: string): string {
  if (answer !== null) return answer;
  throw new RowError(
    row.place,
    `has neither completion nor answer${neededBy === undefined ? '' : `, which ${neededBy} compares with`}`,
    `Add what the model should answer to the ${row.place.isTable ? 'row' : 'line'}, or name its column in data.columns${row.place.isTable ? ', or leave out such rows with data.on_invalid: skip' : ''}.`,
  );
}
