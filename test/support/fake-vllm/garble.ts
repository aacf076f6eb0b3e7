import type { Reply } from '../../../services/inference/server/route.ts';
import type { Garbled } from './faults.ts';

interface Choice {
  index: number;
  finish_reason: string;
  token_ids: number[];
  prompt_token_ids: number[];
  logprobs: { token_logprobs: (number | null)[] };
}
interface Body {
  id: string;
  model: string;
  choices: Choice[];
}

/** The answer with one thing wrong in it. */
export function garble(reply: Reply, how: Garbled): Reply {
  if (reply.kind !== 'json') return reply;
  const body = structuredClone(reply.body) as Body;
  changes[how](body, body.choices[0]!);
  return { kind: 'json', body };
}

const changes: Readonly<Record<Garbled, (body: Body, first: Choice) => void>> = {
  'swapped order': (body) => void body.choices.reverse(),
  'too few choices': (body) => void body.choices.pop(),
  'a choice twice': (body, first) => void body.choices.splice(1, 1, first),
  'logprobs -9999': (_, { logprobs }) => void logprobs.token_logprobs.fill(-9999),
  'logprobs null': (_, { logprobs }) => void logprobs.token_logprobs.fill(null),
  'a positive logprob': (_, { logprobs }) => void logprobs.token_logprobs.splice(0, 1, 0.7),
  'fewer logprobs': (_, { logprobs }) => void logprobs.token_logprobs.pop(),
  'tokens beyond the vocabulary': (_, { token_ids: ids }) => void ids.splice(0, 1, 151_935),
  'too many tokens': (_, first) => {
    first.token_ids.push(...first.token_ids);
    first.logprobs.token_logprobs.push(...first.logprobs.token_logprobs);
  },
  'another prompt': (_, first) => void first.prompt_token_ids.unshift(1),
  'another model': (body) => {
    body.model = 'somebody-else';
  },
  'another request': (body) => {
    body.id = 'cmpl-tandem-another-1-1';
  },
  'an aborted choice': (_, first) => {
    first.finish_reason = 'abort';
    first.token_ids.pop();
    first.logprobs.token_logprobs.pop();
  },
};
