import type { ModelRegistry, ServedModel } from '../../../services/inference/engine/served-model.ts';
import type { ApiRequest, Reply, Route } from '../../../services/inference/server/route.ts';
import type { Faults } from './faults.ts';

/** The adapters of the fake, with what vLLM gets wrong about them. */
export interface FakeAdapters {
  readonly models: ModelRegistry;
  /** The routes that load and unload, over those of the embedded server, which must use `models`. */
  routes(embedded: readonly Route[]): Route[];
  /** Makes the next lookup of the name a request gives the weights that vLLM would answer it with. */
  prepare(body: unknown): Promise<void>;
  /** What waking up does to adapters. */
  wake(): void;
  /** How often an adapter was read from disk, by name: more than once is the defect of `load_inplace`. */
  readonly reads: ReadonlyMap<string, number>;
  dispose(): void;
}

export function createFakeAdapters(base: ServedModel, faults: Faults): FakeAdapters {
  const served = new Map<string, ServedModel>([[base.name, base]]);
  /** Everything that was ever loaded: cached blocks outlive the adapter that they were computed with. */
  const all: ServedModel[] = [];
  const reads = new Map<string, number>();
  /** Directories of adapters that were loaded in place: vLLM keeps the flag, and reads them for every request. */
  const sticky = new Map<string, string>();
  /** The weights that each prompt was first answered with, by name, salt and prompt. */
  const blocks = new Map<string, ServedModel>();
  let stale: ServedModel | null = null;
  let embeddedLoad: Route | undefined;

  const models: ModelRegistry = {
    base,
    get(name) {
      const answer = stale?.name === name ? stale : served.get(name);
      stale = null;
      return answer && faults.losesAdapters ? asBase(answer) : answer;
    },
    list: () => [...served.values()],
    add(model) {
      all.push(model);
      reads.set(model.name, (reads.get(model.name) ?? 0) + 1);
      if (!faults.halfLoads) served.set(model.name, faults.servesBase ? asBase(model) : model);
    },
    // Nothing waits: vLLM forgets the name at once.
    use: () => () => undefined,
    async remove(name) {
      served.delete(name);
      sticky.delete(name);
    },
  };

  async function load(request: ApiRequest): Promise<Reply> {
    const { load_inplace: inPlace, ...body } = request.body as Record<string, unknown>;
    const name = String(body['lora_name']);
    if (inPlace === true) served.delete(name);
    const reply = await embeddedLoad!.handle({ ...request, body });
    if (inPlace === true) sticky.set(name, String(body['lora_path']));
    return reply;
  }

  async function prepare(body: unknown): Promise<void> {
    const {
      model: name,
      prompt,
      prompt_logprobs: ofPrompt,
      cache_salt: salt,
    } = (body ?? {}) as Record<string, unknown>;
    if (typeof name !== 'string') return;
    const path = sticky.get(name);
    if (path !== undefined) {
      served.delete(name);
      const again = { lora_name: name, lora_path: path };
      await embeddedLoad!.handle({ body: again, requestId: undefined, signal: new AbortController().signal });
    }
    const model = served.get(name);
    // vLLM computes a prompt anew when it is asked for its logprobs.
    if (model === undefined || ofPrompt != null) return;
    const key = JSON.stringify([name, salt ?? null, prompt]);
    const known = blocks.get(key) ?? model;
    blocks.set(key, known);
    if (faults.staleCache) stale = known;
  }

  return {
    models,
    prepare,
    reads,
    routes(embedded) {
      embeddedLoad = embedded.find(({ path }) => path === '/v1/load_lora_adapter');
      const unload = embedded.find(({ path }) => path === '/v1/unload_lora_adapter');
      if (embeddedLoad === undefined || unload === undefined) throw new Error('the embedded server takes no adapters');
      return [{ ...embeddedLoad, handle: load }, unload];
    },
    wake() {
      if (!faults.losesAdaptersInSleep) return;
      for (const [name, model] of served) if (model.kind === 'adapter') served.set(name, asBase(model));
    },
    dispose() {
      for (const { adapter } of all) adapter?.dispose();
    },
  };
}

function asBase(model: ServedModel): ServedModel {
  return { ...model, adapter: undefined };
}
