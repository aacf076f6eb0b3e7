import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { makeNamedExample } from './example.ts';
import { readConfigs } from './read-config.ts';

const shipped = (name: string) => readConfigs([resolve(import.meta.dirname, `../configs/${name}.yaml`)]);

test.each(['gsm8k_sft', 'gsm8k_grpo', 'example_sft'])('the tiny model that %s names is made, once', async (name) => {
  const root = mkdtempSync(join(tmpdir(), 'tandem-example-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  await makeNamedExample(shipped(name), root);
  const weights = join(root, 'data/example/model/model.safetensors');
  const made = statSync(weights);
  await makeNamedExample(shipped(name), root);
  expect(statSync(weights).ino).toBe(made.ino);
});

test('a config with a model of its own leaves nothing behind', async () => {
  const root = mkdtempSync(join(tmpdir(), 'tandem-example-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  await makeNamedExample({ model: { name: 'Qwen/Qwen3-0.6B' } }, root);
  await makeNamedExample({ method: 'sft' }, root);
  expect(existsSync(join(root, 'data'))).toBe(false);
});
