import { InferenceError } from './inference-error.ts';
import type { Verify } from './inference-server.ts';
import type { ModelCard } from './vllm-client.ts';

/**
 * Looks at the list of what a server serves: whether it is one that lists base models at all, and whether it is still the one that it was. What
 * the model computes is the canary's to judge, since names and directories of the same model differ from host to host.
 * @param maxSeqLength of the run, in tokens
 * @param warn told once of each thing that may be wrong
 */
export function createModelInspection(params: {
  readonly maxSeqLength: number;
  readonly warn: (message: string) => void;
}): Verify {
  const { maxSeqLength, warn } = params;
  let known: ModelCard | null = null;

  return async (client, signal) => {
    const base = baseOf(await client.models(signal));
    for (const message of findings(known, base, maxSeqLength)) warn(message);
    known = base;
  };
}

function baseOf(cards: readonly ModelCard[]): ModelCard {
  const base = cards.find(({ parent }) => parent === null);
  if (base !== undefined) return base;
  const names = cards.map(({ id }) => id).join(', ');
  throw new InferenceError('refused', `the server lists no base model${names === '' ? '' : `, but ${names}`}`);
}

function findings(known: ModelCard | null, base: ModelCard, maxSeqLength: number): string[] {
  const changed = known !== null && shown(known) !== shown(base);
  const short = base.contextLength !== null && base.contextLength < maxSeqLength;
  return [
    ...(changed ? [`The server serves another model than before: ${shown(base)}, not ${shown(known)}.`] : []),
    ...(short && (known === null || changed)
      ? [
          `The server takes sequences of ${base.contextLength} tokens, and model.max_seq_length is ${maxSeqLength}: it refuses longer prompts. ` +
            `Start it with --max-model-len ${maxSeqLength}, or lower model.max_seq_length.`,
        ]
      : []),
  ];
}

function shown({ id, root, contextLength }: ModelCard): string {
  return `${id} (${root ?? 'from nowhere'}, ${contextLength ?? 'any number of'} tokens)`;
}
