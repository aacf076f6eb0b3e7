import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { resolveRunSpec } from '../../../services/contracts/resolve-run-spec.ts';
import { startEngine } from '../../../services/model/backend.ts';
import { fillNormal } from '../../../services/model/random.ts';
import { completionRows } from '../../../services/trainer/learner/completion-rows.ts';
import { loadPolicy } from '../../../services/trainer/learner/policy.ts';
import { createCanary } from '../../../services/trainer/rollout/canary.ts';
import { createHandOff } from '../../../services/trainer/rollout/hand-off.ts';
import { createInferenceServer } from '../../../services/trainer/rollout/inference-server.ts';
import { createPolicyPublisher } from '../../../services/trainer/rollout/policy-publisher.ts';
import { createVllmClient } from '../../../services/trainer/rollout/vllm-client.ts';

const CANARY = [40, 41, 42, 43, 44, 45];
const SEED = 7;

/** A trainer's policy and everything by which it reaches a server, with the training left out: `move` changes the weights instead. */
export async function preparePolicy(given: {
  readonly model: string;
  readonly origin: () => string;
  readonly handOff?: { readonly mode: 'none' | 'sleep'; readonly deadline: number };
  readonly temperature?: number;
}) {
  const directory = await mkdtemp(path.join(tmpdir(), 'tandem-published-'));
  const resolved = resolveRunSpec({
    model: { name: given.model, max_seq_length: 256, lora: { r: 8, alpha: 16 } },
    rollout: { max_new_tokens: 8 },
  });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  const policy = await loadPolicy({
    engine: await startEngine(),
    spec: resolved.spec,
    modelDirectory: given.model,
    baseAdapterDirectory: null,
    withReference: false,
  });
  const lines: string[] = [];
  const server = createInferenceServer({
    client: createVllmClient({ url: () => `${given.origin()}/v1`, timeoutSeconds: 10 }),
    relocate: async () => undefined,
    onRecovery: (message) => void lines.push(message),
    patienceSeconds: 10,
  });
  const { mode, deadline } = given.handOff ?? { mode: 'none', deadline: 10 };
  const log = { info: (message: string) => void lines.push(message.replace(/time=[\d.]+s/, 'time=…')) };
  const handOff = createHandOff({ mode, deadlineSeconds: deadline, server, log, now: () => performance.now() });
  const { temperature = 1 } = given;

  function publisherOf(prefix: string, maxStaleness = 0) {
    const canary = createCanary({ policy, tokens: CANARY, temperature, maxNewTokens: 8 });
    return createPolicyPublisher({
      ...{ policy, server, handOff, canary, directory, prefix, maxStaleness },
      baseModel: given.model,
    });
  }

  /** Makes the adapter's B normal with this deviation; 0 is the base model. */
  function move(deviation: number): void {
    const weights = new Map(
      [...policy.trainedWeights()].map(([name, tensor], index) => {
        const data = tensor.data.slice() as Float32Array<ArrayBuffer>;
        if (name.includes('lora_B')) fillNormal(data, deviation, SEED, index);
        return [name, { ...tensor, data }] as const;
      }),
    );
    policy.loadTrainedWeights(weights);
  }

  /** Of the canary's prompt. */
  function logprobs(): number[] {
    const input = completionRows([{ prompt: CANARY.slice(0, 1), completion: CANARY.slice(1) }]);
    return tf.tidy(() => Array.from(policy.tokenLogprobs(input, 1).logprobs.dataSync()));
  }

  return {
    ...{ server, handOff, lines, move, publisherOf, directory },
    /** Moves the policy so far from the base that its logprobs differ by `nats` on average, or a little more. */
    moveBy(nats: number): void {
      move(0);
      const base = logprobs();
      for (let deviation = 0.002; ; deviation *= 1.15) {
        move(deviation);
        const moved = logprobs();
        if (moved.reduce((sum, value, i) => sum + Math.abs(value - base[i]!), 0) / moved.length >= nats) return;
      }
    },
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
}
