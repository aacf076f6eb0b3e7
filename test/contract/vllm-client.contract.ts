import { beforeAll, describe, expect, it } from 'vitest';
import { createConversation } from '../../services/trainer/rollout/conversation.ts';
import { createInferenceServer } from '../../services/trainer/rollout/inference-server.ts';
import { createVllmClient, type VllmClient } from '../../services/trainer/rollout/vllm-client.ts';
import type { ServedFacts } from './vllm-api.contract.ts';

const never = new AbortController().signal;

/** What the trainer's client makes of a server, whichever it is. */
export function vllmClientContract(connect: () => Promise<ServedFacts>): void {
  let facts: ServedFacts;
  let client: VllmClient;

  beforeAll(async () => {
    facts = await connect();
    const url = () => `${facts.origin}/v1`;
    client = createVllmClient({ url, timeoutSeconds: 120, vocabSize: facts.vocabSize });
  });

  const request = (id: string) => ({
    ...{ model: facts.model, prompt: [40, 41, 42, 43], n: 3, maxTokens: 8, temperature: 1, seed: 5, stopTokenIds: [] },
    id: `tandem-${id}`,
  });

  describe('the client of the trainer', () => {
    it('gets the same completions for a request that it asks again under another id', async () => {
      const [first, second] = [
        await client.completions(request('contract-1-1'), never),
        await client.completions(request('contract-1-2'), never),
      ];
      expect(first).toHaveLength(3);
      expect(second.map(({ tokens }) => tokens)).toEqual(first.map(({ tokens }) => tokens));
    });

    it('asks for many at a time over connections that are kept', async () => {
      const all = Array.from({ length: 8 }, (_, i) => client.completions(request(`many-${i}`), never));
      expect((await Promise.all(all)).flat()).toHaveLength(24);
    });

    it('finds the base model with its context, and an adapter with its path and its base', async () => {
      const policy = { kind: 'adapter', version: 1, name: 'client-v1', path: facts.adapterPaths[0] } as const;
      await client.load(policy, never);
      const models = await client.models(never);
      expect(models.find(({ id }) => id === facts.model)).toMatchObject({
        ...{ parent: null, contextLength: facts.contextLength },
      });
      expect(models.find(({ id }) => id === policy.name)).toMatchObject({
        ...{ root: policy.path, parent: facts.model, contextLength: null },
      });
      expect(await client.completions({ ...request('adapter-1-1'), model: policy.name }, never)).toHaveLength(3);
      await client.unload(policy, never);
      await expect(client.completions({ ...request('adapter-2-1'), model: policy.name }, never)).rejects.toMatchObject({
        kind: 'unknown_model',
      });
    });

    it('gives up a completion at once when it is stopped', async () => {
      const stop = new AbortController();
      const long = { ...request('stopped-1-1'), n: 8, maxTokens: facts.contextLength - 8 };
      const asked = client.completions(long, stop.signal);
      stop.abort(new Error('stopped'));
      await expect(asked).rejects.toThrow('stopped');
    });

    it('plays an episode whose turns begin with the tokens of all turns before, as they were sampled', async () => {
      const seen: (readonly number[])[] = [];
      const watched: VllmClient = {
        ...client,
        completions(each, signal) {
          seen.push(each.prompt);
          return client.completions(each, signal);
        },
      };
      const server = createInferenceServer({
        ...{ client: watched, patienceSeconds: 5, relocate: async () => undefined, onRecovery: () => undefined },
      });
      server.route({ kind: 'model', version: 0, name: facts.model, path: '' }, null);
      const hits = async () => {
        const text = await (await fetch(`${facts.origin}/metrics`)).text();
        return Number(/^vllm:prefix_cache_hits_total\S* (\S+)$/m.exec(text)?.[1]);
      };
      const hitsBefore = await hits();
      const turns = await server.episode(async (episode) => {
        const conversation = createConversation({
          ...{
            episode,
            prompt: Array.from({ length: 70 }, (_, i) => 40 + (i % 7)),
            seed: 3,
            temperature: 1,
            maxTokens: 6,
            stopTokenIds: [],
          },
          contextLength: facts.contextLength,
        });
        const drawn = [];
        for (let turn = 0; turn < 3; turn++) {
          drawn.push((await conversation.draw(never))!);
          conversation.add([44, 45]);
        }
        return drawn;
      });
      for (const turn of [1, 2]) {
        const before = [...seen[turn - 1]!, ...turns[turn - 1]!.tokens, 44, 45];
        expect(seen[turn]).toEqual(before);
      }
      // The server found the prompt of the first turn in its cache, in whole blocks, twice at least.
      expect((await hits()) - hitsBefore).toBeGreaterThanOrEqual(2 * 64);
    });

    it('says what is wrong with a request that cannot be answered, once', async () => {
      const tooLong = { ...request('long-1-1'), maxTokens: facts.contextLength + 1 };
      await expect(client.completions(tooLong, never)).rejects.toMatchObject({
        ...{ kind: 'refused', message: expect.stringContaining(String(facts.contextLength)) },
      });
    });
  });
}
