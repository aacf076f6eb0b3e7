import type { Decoder } from '../../model/decoder.ts';
import type { LoraAdapter } from '../../model/lora.ts';

/** Weights under the name that requests use: the base model, an adapter on it, or another full model. */
export interface ServedModel {
  readonly name: string;
  /** Where it was loaded from, as the caller wrote it. */
  readonly path: string;
  readonly kind: 'base' | 'adapter' | 'model';
  readonly decoder: Decoder;
  readonly adapter: LoraAdapter | undefined;
  /** Seconds since 1970. */
  readonly created: number;
}

/** The names that can be asked for now. */
export interface ModelRegistry {
  readonly base: ServedModel;
  get(name: string): ServedModel | undefined;
  list(): ServedModel[];
  add(model: ServedModel): void;
  /** Counts a request in; the answer counts it out again. */
  use(model: ServedModel): () => void;
  /**
   * Takes a name away at once. The promise settles when the requests that still use it are done and its memory is free;
   * other models' requests go on meanwhile.
   */
  remove(name: string): Promise<void>;
}

export function createModelRegistry(base: ServedModel): ModelRegistry {
  const models = new Map([[base.name, base]]);
  const uses = new Map<ServedModel, number>();
  const waiting = new Map<ServedModel, () => void>();

  function release(model: ServedModel): void {
    const left = uses.get(model)! - 1;
    if (left > 0) uses.set(model, left);
    else uses.delete(model);
    if (left === 0) waiting.get(model)?.();
  }

  return {
    base,
    get: (name) => models.get(name),
    list: () => [...models.values()],
    add: (model) => void models.set(model.name, model),
    use(model) {
      uses.set(model, (uses.get(model) ?? 0) + 1);
      return () => release(model);
    },
    async remove(name) {
      const model = models.get(name);
      if (model === undefined || model === base) return;
      models.delete(name);
      if (uses.has(model)) await new Promise<void>((drained) => waiting.set(model, drained));
      waiting.delete(model);
      if (model.adapter) model.adapter.dispose();
      else model.decoder.dispose();
    },
  };
}
