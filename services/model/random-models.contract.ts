import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Kernels } from './kernels/kernels.ts';
import { compareLong, compareWithReference } from './testing/reference.ts';

export const RANDOM = fileURLToPath(new URL('../../test/golden/model/random', import.meta.url));
export const randomModels = readdirSync(RANDOM, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();

/** The results of transformers and PEFT for random models of every kind. */
export function describeRandomModels(engine: string, start: () => Promise<Kernels>): void {
  describe(`on ${engine}`, () => {
    let kernels: Kernels;
    beforeAll(async () => {
      kernels = await start();
    });

    describe.each(randomModels)('%s', (name) => {
      const directory = path.join(RANDOM, name);

      test.each([
        ['all weights', 'full'],
        ['the adapter', 'lora'],
        ['the adapter on weights in 4 bits', 'qlora'],
      ] as const)('has the logits, logprobs and gradients of transformers and PEFT for %s', async (_, kind) => {
        const differences = await compareWithReference(directory, kind, kernels);
        expect(differences.logits).toBeLessThan(1e-4);
        expect(differences.logprobs).toBeLessThan(1e-4);
        expect(differences.gradients).toBeLessThan(1e-3);
      });
    });

    test('llama-2 has the logits of transformers after 3,100 tokens', async () => {
      expect(await compareLong(path.join(RANDOM, 'llama-2'), kernels)).toBeLessThan(1e-4);
    });
  });
}
