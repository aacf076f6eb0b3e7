import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { estimateNativeMemory } from '../../services/contracts/native-memory.ts';
import { resolveRunSpec } from '../../services/contracts/resolve-run-spec.ts';
import { estimateMemory } from '../../services/contracts/training-memory.ts';
import { findAddons } from '../../services/model/engines/find-addons.ts';
import { type MemoryCase, memoryCases } from '../bench/support/memory-cases.ts';

/** Each in a process of its own: the engine's heap never shrinks. Needs `npm run build`. */
const program = resolve(import.meta.dirname, '../../dist/test/bench/support/memory-main.js');
const full = process.env['TANDEM_TEST_FULL'] === '1';
const short = ['tiny, full weights', 'tiny, LoRA'];
const MIB = 2 ** 20;

test.each(
  memoryCases.filter(({ name }) => full || short.includes(name)),
)('$name: the estimate is within 20 % of what training takes', (given) => compare(given, 'wasm'));

describe.skipIf(findAddons(process.env).cpu === null)('on TensorFlow (needs ./scripts/install-tensorflow.sh)', () => {
  test.each(
    memoryCases.filter(({ name }) => full || name === short[1]),
  )('$name: the estimate is within 20 % of what training takes', (given) => compare(given, 'node'));
});

async function compare(given: MemoryCase, engine: 'wasm' | 'node'): Promise<void> {
  const env = { ...process.env, TANDEM_TF: engine };
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(given)], { env });
  const { top } = JSON.parse(stdout) as { top: number };
  const estimate = estimateOf(given, engine);
  process.stdout.write(
    `| ${given.name}, ${engine} | ${Math.round(top / MIB)} | ${Math.round(estimate / MIB)} | ${percent(estimate / top - 1)} |\n`,
  );
  expect(Math.abs(estimate / top - 1)).toBeLessThan(0.2);
}

function estimateOf({ model, tied, spec: written, batch }: MemoryCase, engine: 'wasm' | 'node'): number {
  const resolved = resolveRunSpec({ ...written, model: { ...written.model, name: 'any' } });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  const { spec } = resolved;
  const perSequence = batch.promptTokens + batch.completionTokens;
  const together = Math.min(batch.sequences, Math.floor(spec.training.micro_batch_tokens / perSequence));
  const sizes = {
    ...model,
    vocabSize: model.vocab_size,
    hiddenSize: model.hidden,
    intermediateSize: model.intermediate,
  };
  // The last token of a sequence predicts nothing that is trained on.
  const tokens = together * (perSequence - 1);
  const micro = { tokens, completionTokens: together * batch.completionTokens };
  const shape = { ...sizes, tieWordEmbeddings: tied, qkNorm: true };
  if (engine === 'wasm') return estimateMemory(shape, spec, micro).engineBytes;
  return estimateNativeMemory(shape, spec, micro, perSequence - 1).engineBytes;
}

function percent(value: number): string {
  return `${value >= 0 ? '+' : ''}${Math.round(100 * value)} %`;
}
