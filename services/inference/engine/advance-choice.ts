import { bannedTokens, finishAfter, matchStop } from './finish.ts';
import type { ChoiceState } from './generation.ts';
import { distribution, drawToken, type LogitsRow, mostLikely } from './sampling.ts';
import { rankTokens } from './token-logprobs.ts';

/** Draws a choice's next token from a row of logits, and notes its logprobs, its text and whether it is the last. */
export function advanceChoice(choice: ChoiceState, row: LogitsRow): void {
  const { options, promptIndex } = choice.prompt.request;
  const position = choice.tokens.length;
  const from = distribution(row, options, bannedTokens(position, options));
  const draw = { seed: options.seed, prompt: promptIndex, choice: choice.index, position };
  const token = options.temperature === 0 ? mostLikely(from) : drawToken(from, draw);
  choice.tokens.push(token);
  choice.logprobs?.push(rankTokens(from, token, options.logprobs ?? 0));
  choice.finish = finishAfter(choice.tokens, options);
  if (choice.detokenizer) readText(choice, token);
}

/** Follows the text as it grows, and ends the choice at a stop string. */
function readText(choice: ChoiceState, token: number): void {
  const { options } = choice.prompt.request;
  const detokenizer = choice.detokenizer!;
  const seen = detokenizer.text.length;
  if (showsToken(choice)) detokenizer.push(token);
  if (choice.finish) detokenizer.flush();
  const match = choice.tokens.length >= options.minTokens ? matchStop(detokenizer.text, seen, options) : null;
  choice.text = match?.text ?? detokenizer.text;
  if (match) choice.finish = { reason: 'stop', stopReason: match.stop };
}

/** The token that ended a completion is part of its tokens, but of its text only on request. */
export function showsToken(choice: Pick<ChoiceState, 'finish' | 'prompt'>): boolean {
  return choice.finish?.reason !== 'stop' || choice.prompt.request.options.includeStopInOutput;
}
