import path from 'node:path';
import { type Decoder, loadDecoder } from '../decoder.ts';
import type { Kernels } from '../kernels/kernels.ts';
import { createLora, type LoraAdapter } from '../lora.ts';
import { packSequences } from '../packed-batch.ts';
import type { WeightStorage } from '../parameter-store.ts';
import { readPeftAdapter } from '../peft.ts';
import { openSafetensors } from '../safetensors.ts';
import * as tf from '../tf.ts';
import { type TrainableVariable, toDiskLayout } from '../trainable.ts';
import { loadConfig, readingWeights, readJson } from '../weights.ts';
import { floats } from './support.ts';

/** A model with the results of transformers and PEFT, as make_random.py describes it. */
export interface Reference {
  readonly family: string;
  readonly rope: string;
  readonly dtype: string;
  readonly padding: string;
  readonly sharded: boolean;
  readonly tied: boolean;
  readonly heads: string;
  readonly sequences: readonly (readonly number[])[];
  /** Tokens of a long sequence whose last logits are known. */
  readonly long: number | null;
  readonly names: readonly string[];
  readonly adapter_names: readonly string[];
}

/**
 * The largest differences from the reference: of logits, and of logprobs in nats; of gradients, per weight, in the norm relative to it and in
 * single entries relative to their root mean square.
 */
export interface Differences {
  readonly logits: number;
  readonly logprobs: number;
  readonly gradients: number;
}

export type Kind = 'full' | 'lora' | 'qlora';

export function readReference(directory: string): Promise<Reference> {
  return readJson(path.join(directory, 'expected.json')) as Promise<Reference>;
}

/** Computes what the reference has: with gradients of all weights, of the adapter, or of the adapter on weights in 4 bits. */
export async function compareWithReference(directory: string, kind: Kind, kernels: Kernels): Promise<Differences> {
  const reference = await readReference(directory);
  const decoder = await decoderOf(
    directory,
    kernels,
    kind === 'full' ? 'trainable' : kind === 'lora' ? 'frozen' : 'nf4',
  );
  const adapter = kind === 'full' ? undefined : await adapterOf(directory, decoder);
  const own = measure(decoder, adapter, reference.sequences);
  const expected = await readExpected(directory);
  const names = adapter ? reference.adapter_names : reference.names;
  const [norms, samples] = [expected(`${kind}.norms`), expected(`${kind}.samples`)];
  const perName = samples.length / names.length;
  const overall = Math.hypot(...norms);
  const gradients = names.map((name, i) => {
    const gradient = own.gradients.get(name);
    if (gradient === undefined) throw new Error(`${directory}: ${name} has no gradient here`);
    const theirs = samples.subarray(i * perName, (i + 1) * perName);
    return gradientDifference(gradient, norms[i]!, theirs, overall);
  });
  if (names.length !== own.gradients.size)
    throw new Error(`${directory}: not all gradients are known to the reference`);
  adapter?.dispose();
  decoder.dispose();
  return {
    logits: largestDifference(own.logits, expected(`${kind}.logits`)),
    logprobs: largestDifference(own.logprobs, expected(`${kind}.logprobs`)),
    gradients: Math.max(...gradients),
  };
}

/** The largest difference of the logits of the last tokens of the long sequence. */
export async function compareLong(directory: string, kernels: Kernels): Promise<number> {
  const { long } = await readReference(directory);
  if (long === null) throw new Error(`${directory} has no long sequence`);
  const expected = (await readExpected(directory))('long.logits');
  const decoder = await decoderOf(directory, kernels, 'frozen');
  const { vocabSize } = decoder.config;
  const sequence = Array.from({ length: long }, (_, i) => (i * i + 3 * i) % vocabSize);
  const last = Int32Array.from({ length: expected.length / vocabSize }, (_, i) => long - 4 + i);
  const own = floats(
    tf.tidy(() => decoder.logits(decoder.selectRows(decoder.hidden(packSequences([sequence])), last))),
  );
  decoder.dispose();
  return largestDifference(own, expected);
}

async function decoderOf(directory: string, kernels: Kernels, storage: WeightStorage): Promise<Decoder> {
  const { config } = await loadConfig(directory);
  return readingWeights(directory, config, (source) => loadDecoder({ config, source, kernels, storage }));
}

async function adapterOf(directory: string, decoder: Decoder): Promise<LoraAdapter> {
  const { config, weights } = await readPeftAdapter(path.join(directory, 'adapter'));
  return createLora(config, decoder.config, weights, true);
}

async function readExpected(directory: string): Promise<(name: string) => Float32Array> {
  const file = await openSafetensors(path.join(directory, 'expected.safetensors'));
  const values = new Map<string, Float32Array>();
  for (const name of file.tensors.keys()) values.set(name, await file.readFloats(name));
  await file.close();
  return (name) => {
    const found = values.get(name);
    if (found === undefined) throw new Error(`${directory}: expected.safetensors lacks ${name}`);
    return found;
  };
}

/** Logits of all tokens, logprobs of all but each sequence's first, and the gradients of the mean logprob, packed as in training. */
function measure(decoder: Decoder, adapter: LoraAdapter | undefined, sequences: Reference['sequences']) {
  const [rows, targets]: [number[], number[]] = [[], []];
  let at = 0;
  for (const sequence of sequences) {
    for (const [i, token] of sequence.slice(1).entries()) {
      rows.push(at + i);
      targets.push(token);
    }
    at += sequence.length;
  }
  const batch = packSequences(sequences);
  const options = adapter ? { adapter } : {};
  const logits = floats(tf.tidy(() => decoder.logits(decoder.hidden(batch, options))));
  const variables = adapter ? adapter.variables : decoder.variables;
  let logprobs = new Float32Array(0) as Float32Array;
  const { value, grads } = tf.variableGrads(
    () => {
      const states = decoder.selectRows(decoder.hidden(batch, options), Int32Array.from(rows));
      const result = decoder.kernels.tokenLogprobs(decoder.logits(states), Int32Array.from(targets), 1).logprobs;
      logprobs = floats(result);
      return tf.mean(result) as tf.Scalar;
    },
    variables.map(({ variable }) => variable),
  );
  const gradients = new Map(variables.map((entry) => [entry.name, onDisk(entry, grads)] as const));
  tf.dispose([value, ...Object.values(grads)]);
  return { logits, logprobs, gradients };
}

function onDisk(entry: TrainableVariable, grads: tf.NamedTensorMap): Float32Array {
  return toDiskLayout(entry, floats(grads[entry.variable.name]!)).data;
}

function gradientDifference(gradient: Float32Array, norm: number, samples: Float32Array, overall: number): number {
  // A gradient that is zero but for rounding is compared with those of the other weights.
  const floor = Math.max(norm, 1e-6 * overall);
  const rms = floor / Math.sqrt(gradient.length);
  const places = Array.from(samples, (_, k) => gradient[((k + 1) * 7919) % gradient.length]!);
  return Math.max(Math.abs(Math.hypot(...gradient) - norm) / floor, largestDifference(places, samples) / rms);
}

function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}
