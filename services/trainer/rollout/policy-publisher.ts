import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { writePeftAdapter } from '../../model/peft.ts';
import { saveModel } from '../../model/weights.ts';
import type { Policy } from '../learner/policy.ts';
import type { Canary } from './canary.ts';
import type { HandOff } from './hand-off.ts';
import { type InferenceServer, loadIfAbsent, type Verify } from './inference-server.ts';
import type { PublishedPolicy } from './vllm-client.ts';

export interface PolicyPublisher {
  /**
   * Makes sure that completions come from policy version `version`, which is what the policy is now. A server that sleeps is woken up first. A new
   * version is written and renamed, loaded, checked by a canary and routed to, while completions of older ones go on; each of these is unloaded and removed
   * once it has none left, which is waited for when there are more of them than `maxStaleness`. After a sleep the same is done,
   * under a new name, even when the version is the same: a server may have lost in its sleep what it still lists.
   * @throws TrainerError `nan_loss` when the policy computes no numbers, `inference_failed` when the server computes something else than the trainer.
   */
  serve(version: number, signal: AbortSignal): Promise<void>;
  /** To be called before the policy changes while completions go on: until the next `serve` a server that is restarted is checked against what it said before. */
  policyChanges(): void;
}

/**
 * @param directory shared with the server
 * @param prefix `<run>-a<attempt>`: with the version it makes a name that is never used twice
 */
export function createPolicyPublisher(params: {
  readonly policy: Policy;
  readonly server: InferenceServer;
  readonly handOff: HandOff;
  readonly canary: Canary;
  readonly directory: string;
  readonly prefix: string;
  readonly baseModel: string;
  /** Versions by which rollouts may lag behind: the server never holds more than two policies above that. */
  readonly maxStaleness: number;
}): PolicyPublisher {
  const { policy, server, handOff, canary, directory, prefix, maxStaleness } = params;
  let served: PublishedPolicy | null = null;
  /** Name of the one that is what the policy is now; null when there is none. */
  let current: string | null = null;
  /** Of policies that were served before, the oldest first: each until it is unloaded. */
  const retiring: Promise<void>[] = [];
  let wakes = 0;

  async function serve(version: number, signal: AbortSignal): Promise<void> {
    const previous = served;
    current = previous?.version === version ? previous.name : null;
    const woken = await handOff.toServer(signal);
    if (previous?.version === version && !woken) return;
    canary.expect(version);
    if (woken) wakes += 1;
    const name = `${prefix}-v${version}${woken ? `-w${wakes}` : ''}`;
    const next = previous?.version === version ? { ...previous, name } : { ...(await write(version)), name };
    await handOff.timed(woken, 'load', signal, (until) =>
      server.call((client) => loadIfAbsent(client, next, until), until),
    );
    await handOff.timed(woken, 'check', signal, async (until) => {
      let loaded = true;
      const heard = await server.call(async (client) => {
        // A server that was restarted before it could answer has forgotten it.
        if (!loaded) await loadIfAbsent(client, next, until);
        loaded = false;
        return canary.ask(client, name, until);
      }, until);
      canary.judge(name, heard);
    });
    server.route(next, verifierOf(name));
    served = next;
    current = name;
    if (previous) retiring.push(heardLater(retire(previous, next, signal)));
    while (retiring.length > maxStaleness) await retiring.shift();
  }

  /** Once the policy has moved on, what the server says can be compared with what it said before alone. */
  function verifierOf(name: string): Verify {
    return async (client, signal) => {
      const heard = await canary.ask(client, name, signal);
      if (current === name) canary.judge(name, heard);
      else canary.recall(name, heard);
    };
  }

  async function write(version: number): Promise<Omit<PublishedPolicy, 'name'>> {
    const target = path.join(directory, `${prefix}-v${version}`);
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
    return { kind: policy.lora ? 'adapter' : 'model', version, path: target };
  }

  /** The new version serves already, so an old one that cannot be unloaded costs memory there and nothing else. */
  async function retire(previous: PublishedPolicy, next: PublishedPolicy, signal: AbortSignal): Promise<void> {
    // vLLM drops a name under the completions that still come from it.
    await server.drained(previous, signal);
    await server.call((client) => client.unload(previous, signal).catch(() => undefined), signal);
    if (previous.path !== next.path) await rm(previous.path, { recursive: true, force: true });
  }

  return {
    serve,
    policyChanges() {
      current = null;
    },
  };
}

/** A promise whose failure is nobody's as long as it is not waited for. */
function heardLater(promise: Promise<void>): Promise<void> {
  promise.catch(() => undefined);
  return promise;
}
