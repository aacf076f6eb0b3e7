import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Decoder, type ForwardOptions, loadDecoder } from './decoder.ts';
import type { Kernels } from './kernels/kernels.ts';
import { createLora } from './lora.ts';
import { packSequences } from './packed-batch.ts';
import { readPeftAdapter } from './peft.ts';
import { openSafetensors } from './safetensors.ts';
import { floats, relativeDifference } from './testing/support.ts';
import * as tf from './tf.ts';
import { type TrainableVariable, toDiskLayout } from './trainable.ts';
import { loadConfig, readingWeights, readJson } from './weights.ts';

const GOLDEN = fileURLToPath(new URL('../../test/golden/model', import.meta.url));

/** Logits, logprobs and gradients of transformers, torch and PEFT, as they were saved with small models. */
export function describeGolden(engine: string, start: () => Promise<Kernels>): void {
  describe(`on ${engine}`, () => {
    let kernels: Kernels;
    let sequences: number[][];

    beforeAll(async () => {
      kernels = await start();
      sequences = ((await readJson(path.join(GOLDEN, 'versions.json'))) as { sequences: number[][] }).sequences;
    });

    describe.each(['qwen2', 'qwen3', 'llama3', 'llama-linear'])('%s as transformers saved it', (name) => {
      test('gives the logits of transformers', async () => {
        const { decoder, expected } = await load(name, kernels);
        const all = floats(tf.tidy(() => decoder.logits(decoder.hidden(packSequences(sequences)))));
        let at = 0;
        for (const [i, sequence] of sequences.entries()) {
          const size = sequence.length * decoder.config.vocabSize;
          expect(relativeDifference(all.subarray(at, at + size), await expected(`logits.${i}`))).toBeLessThan(1e-5);
          at += size;
        }
      });

      test('gives the token logprobs and the gradients of torch for every weight', async () => {
        const { decoder, expected } = await load(name, kernels);
        const { logprobs, gradients } = logprobGradients(sequences, decoder, {}, decoder.variables);
        expect(relativeDifference(logprobs, await expected('logprobs'))).toBeLessThan(1e-5);
        expect(gradients.size).toBe(decoder.variables.length);
        for (const [weight, gradient] of gradients) {
          expect(relativeDifference(gradient, await expected(`grad.${weight}`)), weight).toBeLessThan(1e-4);
        }
      });
    });

    test.each([
      'qwen3',
      'llama-linear',
    ])("%s gives PEFT's logprobs and gradients for an adapter that PEFT saved", async (name) => {
      const { decoder, expected } = await load(name, kernels);
      const { config, weights } = await readPeftAdapter(path.join(GOLDEN, name, 'adapter'));
      const adapter = createLora(config, decoder.config, weights, true);
      const { logprobs, gradients } = logprobGradients(sequences, decoder, { adapter }, adapter.variables);
      expect(relativeDifference(logprobs, await expected('lora.logprobs'))).toBeLessThan(1e-5);
      expect(gradients.size).toBe(weights.size);
      for (const [weight, gradient] of gradients) {
        expect(relativeDifference(gradient, await expected(`lora.grad.${weight}`)), weight).toBeLessThan(1e-4);
      }
    });
  });
}

async function load(name: string, kernels: Kernels) {
  const dir = path.join(GOLDEN, name);
  const { config } = await loadConfig(dir);
  const decoder = await readingWeights(dir, config, (source) =>
    loadDecoder({ config, kernels, source, storage: 'trainable' }),
  );
  const expected = async (tensor: string) => {
    const file = await openSafetensors(path.join(dir, 'expected.safetensors'));
    return file.readFloats(tensor).finally(() => file.close());
  };
  return { decoder, expected };
}

/** Of the mean logprob of each sequence's tokens after its first. */
function logprobGradients(
  sequences: readonly number[][],
  decoder: Decoder,
  options: ForwardOptions,
  variables: readonly TrainableVariable[],
) {
  const batch = packSequences(sequences);
  const [rows, targets]: [number[], number[]] = [[], []];
  let at = 0;
  for (const sequence of sequences) {
    for (let i = 0; i + 1 < sequence.length; i++, at++) {
      rows.push(at);
      targets.push(sequence[i + 1]!);
    }
    at++;
  }
  let logprobs = new Float32Array(0) as Float32Array;
  const { grads } = tf.variableGrads(
    () => {
      const states = decoder.selectRows(decoder.hidden(batch, options), Int32Array.from(rows));
      const result = decoder.kernels.tokenLogprobs(decoder.logits(states), Int32Array.from(targets), 1).logprobs;
      logprobs = floats(result);
      return tf.mean(result);
    },
    variables.map((entry) => entry.variable),
  );
  const gradients = new Map(
    variables.map((entry) => [entry.name, toDiskLayout(entry, floats(grads[entry.variable.name]!)).data] as const),
  );
  return { logprobs, gradients };
}
