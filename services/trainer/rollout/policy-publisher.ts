import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { writePeftAdapter } from '../../model/peft.ts';
import { saveModel } from '../../model/weights.ts';
import { TrainerError } from '../failure.ts';
import { completionRows } from '../learner/completion-rows.ts';
import type { Policy } from '../learner/policy.ts';
import { type InferenceServer, loadIfAbsent } from './inference-server.ts';
import type { PublishedPolicy } from './vllm-client.ts';

export interface PolicyPublisher {
  /**
   * Makes sure that completions come from policy version `version`, which is what the policy is now. A new version is written and
   * renamed, loaded, checked by a canary and routed to; then the one before is unloaded and removed.
   * @throws TrainerError `inference_failed` when the server computes something else than the trainer.
   */
  serve(version: number, signal: AbortSignal): Promise<void>;
}

/**
 * @param directory shared with the server
 * @param prefix `<run>-a<attempt>`: with the version it makes a name that is never used twice
 * @param canary tokens whose logprobs both sides compute; at least two
 * @param tolerance mean difference of those logprobs that is still the same policy, in nats
 */
export function createPolicyPublisher(params: {
  readonly policy: Policy;
  readonly server: InferenceServer;
  readonly directory: string;
  readonly prefix: string;
  readonly baseModel: string;
  readonly canary: readonly number[];
  readonly tolerance: number;
}): PolicyPublisher {
  const { policy, server, directory, prefix, canary, tolerance } = params;
  let served: (PublishedPolicy & { readonly version: number }) | null = null;

  async function serve(version: number, signal: AbortSignal): Promise<void> {
    if (served?.version === version) return;
    const next = await write(version);
    // One call: a server that is restarted between the two has forgotten the first.
    const theirs = await server.call(async (client) => {
      await loadIfAbsent(client, next, signal);
      return client.promptLogprobs(next.name, canary, signal);
    }, signal);
    checkCanary(next, theirs);
    server.route(next);
    const previous = served;
    served = { ...next, version };
    if (previous) await retire(previous, signal);
  }

  async function write(version: number): Promise<PublishedPolicy> {
    const name = `${prefix}-v${version}`;
    const target = path.join(directory, name);
    const unfinished = `${target}.tmp`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true });
    const weights = policy.trainedWeights();
    if (policy.lora) await writePeftAdapter(unfinished, { config: policy.lora, weights, baseModel: params.baseModel });
    else {
      const { configJson, directory: companionsFrom } = policy;
      await saveModel(unfinished, { configJson, weights, dtype: 'F32', companionsFrom });
    }
    await rename(unfinished, target);
    return { kind: policy.lora ? 'adapter' : 'model', name, path: target };
  }

  /** A server can say that it loaded an adapter and go on serving the base model. */
  function checkCanary(next: PublishedPolicy, theirs: readonly number[]): void {
    const ours = ownLogprobs();
    const difference =
      ours.reduce((sum, value, i) => sum + Math.abs(value - (theirs[i] ?? Number.NaN)), 0) / ours.length;
    if (difference <= tolerance) return;
    throw new TrainerError(
      'inference_failed',
      `The inference server does not compute what the trainer computes for ${next.name}: the logprobs of a fixed prompt differ by ${difference.toFixed(4)} on average (allowed ${tolerance}).`,
      'Check that the server serves the same model and applies LoRA adapters; start it with --logprobs-mode processed_logprobs.',
    );
  }

  function ownLogprobs(): Float32Array {
    const input = completionRows([{ prompt: canary.slice(0, 1), completion: canary.slice(1) }]);
    return tf.tidy(() => policy.tokenLogprobs(input, 1).logprobs.dataSync() as Float32Array);
  }

  /** The new version serves already, so an old one that cannot be unloaded costs memory there and nothing else. */
  async function retire(previous: PublishedPolicy, signal: AbortSignal): Promise<void> {
    await server.call((client) => client.unload(previous, signal).catch(() => undefined), signal);
    await rm(previous.path, { recursive: true, force: true });
  }

  return { serve };
}
