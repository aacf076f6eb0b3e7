import { beforeAll, describe, expect, it } from 'vitest';
import type { Decoder } from '../../model/decoder.ts';
import type { LoraAdapter } from '../../model/lora.ts';
import { generationRequest, served } from '../testing/tiny-engine.ts';
import { chooseSteps } from './choose-steps.ts';
import type { ChoiceState, PromptState } from './generation.ts';
import type { ServedModel } from './served-model.ts';

let models: ServedModel[];

beforeAll(() => {
  models = ['base', 'v1', 'v2', 'v3'].map((name, i) =>
    served(name, {} as Decoder, i === 0 ? undefined : ({} as LoraAdapter)),
  );
});

function reading(model: number, length: number, fed = 0): PromptState {
  return {
    request: generationRequest(models[model]!, new Array<number>(length).fill(1)),
    fed,
  } as unknown as PromptState;
}

function running(model: number): ChoiceState {
  return { prompt: reading(model, 4) } as ChoiceState;
}

describe('chooseSteps', () => {
  const roomy = { maxBatchedTokens: 100, maxLoras: 4 };

  it('serves running completions first and reads prompts in order with what is left, the last one in part', () => {
    const prompts = [reading(0, 30, 20), reading(0, 60), reading(0, 60)];
    const steps = chooseSteps([running(0), running(1)], prompts, roomy);
    expect(steps.map(({ kind, count }) => [kind, count])).toEqual([
      ['choice', 1],
      ['choice', 1],
      ['prompt', 10],
      ['prompt', 60],
      ['prompt', 28],
    ]);
  });

  it('never exceeds its tokens, however many run', () => {
    const many = Array.from({ length: 150 }, () => running(0));
    expect(chooseSteps(many, [reading(0, 5)], roomy)).toHaveLength(100);
  });

  it('mixes at most max_loras adapters, the oldest first, and the base model always', () => {
    const choices = [running(2), running(1), running(3), running(0), running(2)];
    const steps = chooseSteps(choices, [reading(3, 5), reading(1, 5)], { ...roomy, maxLoras: 2 });
    const names = steps.map((step) => (step.kind === 'choice' ? step.choice.prompt : step.prompt).request.model.name);
    expect(names).toEqual(['v2', 'v1', 'base', 'v2', 'v1']);
  });

  it('has a block that several prompts begin with read by the first of them alone', () => {
    const beginning = (ahead: string | null) => ({ ...reading(0, 30), kv: { trail: { ahead: () => ahead } } });
    const prompts = [beginning('a'), beginning(null), beginning('a'), beginning('b'), beginning(null)];
    const steps = chooseSteps([], prompts as unknown as PromptState[], { ...roomy, maxBatchedTokens: 1000 });
    const read = steps.map((step) => step.kind === 'prompt' && prompts.indexOf(step.prompt as never));
    expect(read).toEqual([0, 1, 3, 4]);
  });

  it('leaves out prompts that have been read and wait for a place', () => {
    expect(chooseSteps([], [reading(0, 5, 5)], roomy)).toEqual([]);
  });
});
