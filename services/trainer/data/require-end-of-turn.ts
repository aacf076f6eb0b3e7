import { ModelError } from '../../contracts/model-error.ts';
import type { Policy } from '../learner/policy.ts';

/**
 * A model without a token that ends an answer never learns to stop, and one whose ending token it does not embed cannot even be asked.
 * @throws ModelError `invalid_tokenizer`, `vocabulary_mismatch`
 */
export function requireEndOfTurn({
  tokenizer,
  config,
  directory,
}: Pick<Policy, 'tokenizer' | 'config' | 'directory'>): void {
  if (tokenizer.eosTokenIds.length === 0) {
    throw new ModelError(
      'invalid_tokenizer',
      `${directory}: no token ends an answer; name it as eos_token in tokenizer_config.json, or as eos_token_id in generation_config.json`,
    );
  }
  const strange = tokenizer.eosTokenIds.find((id) => id >= config.vocabSize);
  if (strange === undefined) return;
  throw new ModelError(
    'vocabulary_mismatch',
    `${directory}: token ${strange} ends an answer, but the model embeds ${config.vocabSize} tokens: use the tokenizer and the generation_config.json of this model`,
  );
}
