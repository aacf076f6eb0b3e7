import { z } from 'zod';
import type { ChatMessage } from '../../../model/tokenizer.ts';
import { FILL_OR_SKIP, giveRow, type Row, RowError } from '../row.ts';
import { messages, parseColumns, text } from './row-schema.ts';

/** A prompt with a better and a worse answer, not yet tokenised. */
export interface Preference {
  readonly id: string;
  readonly messages: readonly ChatMessage[];
  readonly plain: boolean;
  readonly chosen: string;
  readonly rejected: string;
}

const answer = z.union([text, messages], { error: 'must be a text or a list of {role, content}' });
const schema = z.looseObject({
  id: text.nullish(),
  prompt: z.union([z.string().min(1, 'is empty'), messages]).nullish(),
  chosen: answer,
  rejected: answer,
});

const FORM =
  '{"prompt": "...", "chosen": "...", "rejected": "..."}, with texts or lists of messages; chosen and rejected conversations with the same beginning need no prompt';

/**
 * Reads the preference formats that TRL reads: an explicit prompt, or conversations whose common beginning is the prompt. Conversations that repeat their
 * explicit prompt lose it.
 *
 * @throws RowError
 */
export function parsePreference(row: Row): Preference {
  const remedy = giveRow(row.place, 'prompt, chosen and rejected', FORM);
  const refuse = (problem: string) =>
    new RowError(row.place, problem, problem.endsWith('is empty') ? FILL_OR_SKIP : remedy);
  const parsed = parseColumns(row, schema, remedy);
  const { chosen, rejected } = parsed;
  const plain = typeof parsed.prompt === 'string';
  const conversation =
    typeof parsed.prompt === 'string'
      ? [{ role: 'user', content: parsed.prompt }]
      : (parsed.prompt ?? commonBeginning(chosen, rejected, refuse));
  const preference = {
    id: parsed.id ?? row.place.name,
    messages: conversation,
    plain,
    chosen: answerOf('chosen', chosen, conversation, refuse),
    rejected: answerOf('rejected', rejected, conversation, refuse),
  };
  if (preference.chosen === preference.rejected) throw refuse('chosen and rejected are the same: nothing is preferred');
  return preference;
}

type Answer = z.output<typeof answer>;
type Refuse = (problem: string) => RowError;

function commonBeginning(chosen: Answer, rejected: Answer, refuse: Refuse): ChatMessage[] {
  if (typeof chosen === 'string' || typeof rejected === 'string') {
    throw refuse('has no prompt, and chosen and rejected are no conversations');
  }
  let length = 0;
  while (length < chosen.length && length < rejected.length && same(chosen[length]!, rejected[length]!)) length += 1;
  if (length === 0) throw refuse('has no prompt, and chosen and rejected begin with different messages');
  // The same answer twice is a fault of its own; here it must not be taken for a part of the prompt.
  return chosen.slice(0, Math.min(length, chosen.length - 1, rejected.length - 1));
}

function answerOf(name: string, given: Answer, prompt: readonly ChatMessage[], refuse: Refuse): string {
  if (typeof given === 'string') {
    if (given === '') throw refuse(`${name} is empty`);
    return given;
  }
  const repeats = given.length > prompt.length && prompt.every((message, i) => same(message, given[i]!));
  const [answer, ...more] = repeats ? given.slice(prompt.length) : given;
  if (answer === undefined || answer.role !== 'assistant' || more.length > 0) {
    throw refuse(`${name} must be one message of the assistant after the prompt`);
  }
  if (answer.content === '') throw refuse(`${name} is empty`);
  return answer.content;
}

function same(a: ChatMessage, b: ChatMessage): boolean {
  return a.role === b.role && a.content === b.content;
}
