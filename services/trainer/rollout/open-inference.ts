import { AgentError } from '../agent/agent-client.ts';
import { TrainerError } from '../failure.ts';
import type { Policy } from '../learner/policy.ts';
import type { Session } from '../session.ts';
import { createCanary } from './canary.ts';
import { createHandOff, type HandOff } from './hand-off.ts';
import { createInferenceServer, type InferenceServer } from './inference-server.ts';
import { createPolicyPublisher, type PolicyPublisher } from './policy-publisher.ts';
import { createVllmClient } from './vllm-client.ts';

/** How long a restarted server may take until it answers. */
const PATIENCE_SECONDS = 600;

/**
 * The pair's inference server, and the way the policy gets there.
 * @param canary tokens of a prompt; at least one
 */
export function openInference(
  session: Session,
  policy: Policy,
  canary: readonly number[],
): { readonly server: InferenceServer; readonly publisher: PolicyPublisher; readonly handOff: HandOff } {
  const { attempt, spec, client: agent, logs } = session;
  if (attempt.inference_url === null) {
    throw new TrainerError(
      'inference_failed',
      'the attempt has no inference server',
      'Start it with one: GRPO needs rollouts.',
    );
  }
  let url = attempt.inference_url;
  const client = createVllmClient({ url: () => url, timeoutSeconds: spec.inference.vllm.timeout });
  const server = createInferenceServer({
    client,
    patienceSeconds: PATIENCE_SECONDS,
    onRecovery: (message) => logs.rollout.warning(message),
    relocate: async (signal) => {
      const fresh = await agent.spec(signal).catch((error: unknown) => {
        signal.throwIfAborted();
        if (error instanceof AgentError && error.kind === 'unreachable') return undefined;
        throw error;
      });
      url = fresh?.inference_url ?? url;
    },
  });
  const handOff = createHandOff({
    mode: attempt.hand_off.mode,
    deadlineSeconds: attempt.hand_off.deadline,
    server,
    log: logs.rollout,
    now: session.now,
  });
  const { temperature, max_new_tokens: maxNewTokens } = spec.rollout;
  const tokens = canary.length > 1 ? canary : [...canary, ...canary];
  const publisher = createPolicyPublisher({
    policy,
    server,
    handOff,
    canary: createCanary({ policy, tokens, temperature, maxNewTokens }),
    directory: attempt.adapters_directory,
    prefix: `${attempt.run}-a${attempt.attempt}`,
    baseModel: spec.model.name,
  });
  return { server, publisher, handOff };
}
