import type { Decoder } from '../../model/decoder.ts';
import { EngineMemoryError } from '../../model/errors.ts';
import { advanceChoice } from './advance-choice.ts';
import type { Step } from './choose-steps.ts';
import { type Feed, forward } from './forward.ts';
import type { ChoiceState, PromptState } from './generation.ts';
import { distribution, type LogitsRow } from './sampling.ts';
import { rankTokens } from './token-logprobs.ts';

export interface StepEvents {
  /** A prompt has been read to its end. */
  onPromptRead(prompt: PromptState): void;
  onToken(choice: ChoiceState): void;
  /** There is not enough memory for this prompt, even alone. */
  onFailure(prompt: PromptState, error: EngineMemoryError): void;
}

/**
 * Computes steps, one forward pass per set of base weights. A pass that does not fit the engine's memory is split in halves;
 * that changes no result, since no sequence's result depends on its neighbours.
 */
export function computeSteps(steps: readonly Step[], events: StepEvents): void {
  const byDecoder = new Map<Decoder, Step[]>();
  for (const step of steps) {
    const { decoder } = promptOf(step).request.model;
    byDecoder.set(decoder, [...(byDecoder.get(decoder) ?? []), step]);
  }
  for (const [decoder, group] of byDecoder) compute(decoder, group, events);
}

function compute(decoder: Decoder, steps: readonly Step[], events: StepEvents): void {
  const live = steps.filter(isLive);
  if (live.length === 0) return;
  const feeds = live.map((step) => feedOf(step, events));
  let readLogits: () => void;
  try {
    readLogits = forward(decoder, feeds);
  } catch (error) {
    if (!(error instanceof EngineMemoryError)) throw error;
    const parts = split(live);
    if (parts.length === 0) events.onFailure(promptOf(live[0]!), error);
    for (const part of parts) compute(decoder, part, events);
    return;
  }
  for (const step of live) noteRead(step, events);
  try {
    readLogits();
  } catch (error) {
    if (!(error instanceof EngineMemoryError)) throw error;
    for (const step of live) events.onFailure(promptOf(step), error);
  }
}

/** A failure takes out all choices of its prompt, some of which may stand in a later part. */
function isLive(step: Step): boolean {
  return step.kind === 'choice' ? step.choice.kv !== null : step.prompt.kv !== null;
}

/** The caches hold the step's tokens now. */
function noteRead(step: Step, events: StepEvents): void {
  if (step.kind === 'choice') {
    step.choice.kv?.trail.extend();
    return;
  }
  const { prompt } = step;
  prompt.fed += step.count;
  prompt.kv?.trail.extend();
  if (prompt.fed === prompt.request.prompt.length) events.onPromptRead(prompt);
}

/** Two halves; of a single prompt's piece only the first, the rest follows in the next iteration; nothing of a single token. */
function split(steps: readonly Step[]): Step[][] {
  const half = Math.ceil(steps.length / 2);
  if (steps.length > 1) return [steps.slice(0, half), steps.slice(half)];
  const [step] = steps;
  if (step?.kind !== 'prompt' || step.count === 1) return [];
  return [[{ ...step, count: Math.floor(step.count / 2) }]];
}

function feedOf(step: Step, events: StepEvents): Feed {
  return step.kind === 'choice' ? choiceFeed(step.choice, events) : promptFeed(step.prompt, step.count);
}

function choiceFeed(choice: ChoiceState, events: StepEvents): Feed {
  return {
    tokens: choice.tokens.slice(-1),
    cache: choice.kv!.cache,
    adapter: choice.prompt.request.model.adapter,
    rows: [0],
    onLogits(_row, logits) {
      advanceChoice(choice, logits);
      events.onToken(choice);
    },
  };
}

function promptFeed(prompt: PromptState, count: number): Feed {
  const { request, fed } = prompt;
  const last = request.prompt.length - 1 - fed;
  const every = Array.from({ length: count }, (_, row) => row);
  return {
    tokens: request.prompt.slice(fed, fed + count),
    cache: prompt.kv!.cache,
    adapter: request.model.adapter,
    rows: prompt.promptLogprobs ? every : every.filter((row) => row === last),
    onLogits(row, logits) {
      if (row === last) prompt.lastRow = logits.values.slice(logits.at, logits.at + logits.vocabulary);
      else notePromptLogprobs(prompt, fed + row + 1, logits);
    },
  };
}

/** Of the model's own distribution, at temperature 1, as in vLLM. */
function notePromptLogprobs(prompt: PromptState, position: number, logits: LogitsRow): void {
  const { request, promptLogprobs } = prompt;
  const from = distribution(logits, { temperature: 1, topK: 0, topP: 1, minP: 0 });
  promptLogprobs?.push(rankTokens(from, request.prompt[position]!, request.options.promptLogprobs ?? 0));
}

function promptOf(step: Step): PromptState {
  return step.kind === 'choice' ? step.choice.prompt : step.prompt;
}
