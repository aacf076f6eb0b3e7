import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Decoder, ForwardOptions } from './decoder.ts';
import type { Kernels } from './kernels/kernels.ts';
import { createKvCache } from './kv-cache.ts';
import { createKvPool } from './kv-pool.ts';
import { createLora, initialLoraWeights, type LoraAdapter, type LoraConfig } from './lora.ts';
import { packSequences } from './packed-batch.ts';
import { fillNormal, uniform } from './random.ts';
import { resolveTargetModules } from './target-modules.ts';
import { floats, sameBits, smallConfig, smallDecoder, startKernels } from './testing/support.ts';

const config = smallConfig({ vocab_size: 131, intermediate_size: 77 });
let kernels: Kernels;
let decoder: Decoder;
let adapters: LoraAdapter[];

beforeAll(async () => {
  kernels = await startKernels();
  decoder = await smallDecoder(kernels, config);
  adapters = [randomAdapter(3, 1), randomAdapter(8, 2)];
});

const sequences = Array.from({ length: 32 }, (_, i) =>
  Array.from({ length: 1 + Math.floor(uniform(9, i) * 40) }, (_, j) =>
    Math.floor(uniform(9, i, j + 1) * config.vocabSize),
  ),
);

describe('a sequence gives the same bits', () => {
  test('alone as among 31 others of other lengths', () => {
    const together = perSequence(sequences, {});
    for (const [i, sequence] of sequences.entries()) {
      const [alone] = perSequence([sequence], {});
      expect(sameBits(together[i]!, alone!), `sequence ${i}`).toBe(true);
    }
  });

  test('with its adapter alone as in a batch that mixes two adapters and the base', () => {
    const chosen = sequences.map((_, i) => [undefined, adapters[0], adapters[1]][i % 3]);
    const together = perSequence(sequences, { adapter: chosen });
    for (const [i, sequence] of sequences.entries()) {
      const [alone] = perSequence([sequence], { adapter: [chosen[i]] });
      expect(sameBits(together[i]!, alone!), `sequence ${i}`).toBe(true);
    }
    expect(sameBits(together[1]!, perSequence([sequences[1]!], {})[0]!)).toBe(false);
  });

  test('token by token through a cache as in one forward pass', () => {
    const chosen = sequences.map((_, i) => [undefined, adapters[0], adapters[1]][i % 3]);
    const whole = perSequence(sequences, { adapter: chosen });
    const stepwise = throughCache(sequences, chosen);
    for (const [i, rows] of stepwise.entries()) expect(sameBits(whole[i]!, rows), `sequence ${i}`).toBe(true);
  });

  test('from a forked cache as from its own', () => {
    const [prompt, left, right] = [sequences[0]!.concat([4, 5]), [7, 8, 9], [3]];
    const parent = createKvCache(createKvPool(2 ** 24), config);
    decoder.hidden(packSequences([prompt]), { caches: [parent] }).dispose();
    const children = [parent.fork(), parent.fork()];
    const grown = perSequence([left, right], { caches: children });
    const parentGrown = perSequence([right], { caches: [parent] });
    const tail = (sequence: number[], rows: number) =>
      perSequence([[...prompt, ...sequence]], {})[0]!.subarray(-rows * config.vocabSize);
    expect(sameBits(grown[0]!, tail(left, 3))).toBe(true);
    expect(sameBits(grown[1]!, tail(right, 1))).toBe(true);
    expect(sameBits(parentGrown[0]!, tail(right, 1))).toBe(true);
    expect([parent.length, ...children.map((child) => child.length)]).toEqual([
      prompt.length + 1,
      prompt.length + 3,
      prompt.length + 1,
    ]);
  });

  test('in the training forward, with gradients recorded, as in inference', () => {
    const inference = perSequence(sequences, { adapter: adapters[0]! });
    const trained = createLora(adapters[0]!.config, config, adapters[0]!.export(), true);
    let logits = new Float32Array(0) as Float32Array;
    const { grads, value } = tf.variableGrads(
      () => {
        const all = decoder.logits(decoder.hidden(packSequences(sequences), { adapter: trained }));
        logits = floats(all);
        return tf.mean(all);
      },
      trained.variables.map((entry) => entry.variable),
    );
    tf.dispose([grads, value]);
    expect(sameBits(logits, concatenate(inference))).toBe(true);
  });
});

/** Logits of every row, sequence by sequence. */
function perSequence(batch: readonly number[][], options: ForwardOptions): Float32Array[] {
  const all = floats(tf.tidy(() => decoder.logits(decoder.hidden(packSequences(batch), options))));
  let at = 0;
  return batch.map((sequence) => {
    const size = sequence.length * config.vocabSize;
    at += size;
    return all.slice(at - size, at);
  });
}

/** The first half of each sequence at once, then all sequences that still have tokens one token at a time. */
function throughCache(batch: readonly number[][], chosen: readonly (LoraAdapter | undefined)[]): Float32Array[] {
  const caches = batch.map(() => createKvCache(createKvPool(2 ** 24), config));
  const rows = batch.map((): Float32Array[] => []);
  const run = (members: readonly number[], take: (i: number) => number[]) => {
    const options = { caches: members.map((i) => caches[i]!), adapter: members.map((i) => chosen[i]) };
    for (const [j, part] of perSequence(members.map(take), options).entries()) rows[members[j]!]!.push(part);
  };
  const everyone = batch.map((_, i) => i);
  run(everyone, (i) => batch[i]!.slice(0, Math.ceil(batch[i]!.length / 2)));
  for (;;) {
    const unfinished = everyone.filter((i) => caches[i]!.length < batch[i]!.length);
    if (unfinished.length === 0) return rows.map(concatenate);
    run(unfinished, (i) => [batch[i]![caches[i]!.length]!]);
  }
}

function randomAdapter(r: number, seed: number): LoraAdapter {
  const lora: LoraConfig = { r, alpha: 16, dropout: 0, targetModules: resolveTargetModules('all-linear') };
  const weights = new Map(
    [...initialLoraWeights(lora, config, seed)].map(([name, { shape, data }], i) => [
      name,
      { shape, data: fillNormal(data, 0.2, seed, i) },
    ]),
  );
  return createLora(lora, config, weights, false);
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}
