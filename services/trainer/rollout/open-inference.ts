import type { RunSpec } from '../../contracts/run-spec.ts';
import { AgentError } from '../agent/agent-client.ts';
import { TrainerError } from '../failure.ts';
import type { Policy } from '../learner/policy.ts';
import type { Session } from '../session.ts';
import { createCanary } from './canary.ts';
import { createHandOff, type HandOff } from './hand-off.ts';
import { createInferenceServer, type InferenceServer } from './inference-server.ts';
import { createPolicyPublisher, type PolicyPublisher } from './policy-publisher.ts';
import { createModelInspection } from './served-models.ts';
import { createVllmClient } from './vllm-client.ts';

/** How long a server takes to start where the spec does not say it: as `TANDEM_START_TIMEOUT` is by default. */
const START_SECONDS = 600;
/** Until its end is noticed and the next start begins; and the control plane, which knows more, shall be the first to give up. */
const NOTICE_SECONDS = 600;

/** How long a server that is gone is waited for. */
export function patienceSeconds({ recovery }: Pick<RunSpec, 'recovery'>): number {
  return (recovery.deadlines.starting_inference ?? START_SECONDS) + NOTICE_SECONDS;
}

/** The way to completions of the policy. */
export interface Inference {
  readonly server: InferenceServer;
  readonly publisher: PolicyPublisher;
  readonly handOff: HandOff;
}

/**
 * The pair's inference server, and the way the policy gets there.
 * @param canary tokens of a prompt; at least one
 */
export function openInference(session: Session, policy: Policy, canary: readonly number[]): Inference {
  const { attempt, spec, client: agent, logs } = session;
  if (attempt.inference_url === null) {
    throw new TrainerError(
      'inference_failed',
      'the attempt has no inference server',
      'Start it with one: GRPO needs rollouts.',
    );
  }
  let url = attempt.inference_url;
  const client = createVllmClient({
    url: () => url,
    timeoutSeconds: spec.inference.vllm.timeout,
    vocabSize: policy.config.vocabSize,
    onSlow: logs.rollout.warning,
  });
  const server = createInferenceServer({
    client,
    patienceSeconds: patienceSeconds(spec),
    sequences: spec.rollout.concurrency * spec.rollout.num_rollouts,
    inspect: createModelInspection({ maxSeqLength: spec.model.max_seq_length, warn: logs.rollout.warning }),
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
    maxStaleness: spec.rollout.max_staleness,
  });
  return { server, publisher, handOff };
}
