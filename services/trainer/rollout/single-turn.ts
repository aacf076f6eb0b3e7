import type { Tokenizer } from '../../model/tokenizer.ts';
import type { Environment } from './collect-rollouts.ts';
import type { InferenceServer } from './inference-server.ts';
import type { Lane } from './request-gate.ts';
import type { Reward } from './rewards/reward.ts';

/** One prompt, one completion, one reward. */
export function createSingleTurn(params: {
  readonly server: InferenceServer;
  readonly tokenizer: Tokenizer;
  readonly reward: Reward;
  readonly temperature: number;
  readonly maxNewTokens: number;
  /** Whose turn it takes at the server; `rollout` where nothing is said. */
  readonly lane?: Lane;
}): Environment {
  const { server, tokenizer, reward, temperature, maxNewTokens, lane = 'rollout' } = params;
  return {
    async play(task, count, seed, signal) {
      const { completions, policy } = await server.complete(
        {
          prompt: task.prompt,
          n: count,
          maxTokens: maxNewTokens,
          temperature,
          seed,
          stopTokenIds: tokenizer.eosTokenIds,
          lane,
        },
        signal,
      );
      const texts = completions.map(({ tokens }) => tokenizer.decode(tokens, { skipSpecialTokens: true }));
      const toScore = completions.map(({ tokens }, i) => ({ tokens, text: texts[i]! }));
      const scores = await reward.score(task, toScore, signal);
      return completions.map(({ tokens, logprobs, finishReason }, i) => ({
        completion: tokens,
        logprobs,
        text: texts[i]!,
        truncated: finishReason === 'length',
        reward: scores[i]!.total,
        rewards: scores[i]!.parts,
        success: scores[i]!.success,
        turns: 1,
        messages: task.messages + 1,
        version: policy.version,
      }));
    },
  };
}
