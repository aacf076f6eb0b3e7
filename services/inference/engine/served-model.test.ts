import { expect, it } from 'vitest';
import type { Decoder } from '../../model/decoder.ts';
import type { LoraAdapter } from '../../model/lora.ts';
import { createModelRegistry, type ServedModel } from './served-model.ts';

function model(name: string, disposed: string[]): ServedModel {
  const adapter = { dispose: () => void disposed.push(name) } as LoraAdapter;
  return { name, path: name, kind: 'adapter', decoder: {} as Decoder, adapter, created: 0 };
}

it('a name that is removed is gone at once; its weights go with its last request', async () => {
  const disposed: string[] = [];
  const registry = createModelRegistry(model('base', disposed));
  const v1 = model('v1', disposed);
  registry.add(v1);
  const [first, second] = [registry.use(v1), registry.use(v1)];
  let removed = false;
  const removal = registry.remove('v1').then(() => {
    removed = true;
  });
  expect(registry.get('v1')).toBeUndefined();
  first();
  await Promise.resolve();
  expect([removed, disposed]).toEqual([false, []]);
  second();
  await removal;
  expect(disposed).toEqual(['v1']);
});

it('the same name can be loaded anew while the old weights are still in use', async () => {
  const disposed: string[] = [];
  const registry = createModelRegistry(model('base', disposed));
  const [old, fresh] = [model('v1', disposed), model('v1', disposed)];
  registry.add(old);
  const release = registry.use(old);
  const removal = registry.remove('v1');
  registry.add(fresh);
  release();
  await removal;
  expect(registry.get('v1')).toBe(fresh);
});

it('the base model stays', async () => {
  const disposed: string[] = [];
  const registry = createModelRegistry(model('base', disposed));
  await registry.remove('base');
  expect([registry.get('base')?.name, disposed]).toEqual(['base', []]);
});
