import { expect, test } from 'vitest';
import { wasmMemory } from '../contracts/native-memory.ts';
import { resolveRunSpec } from '../contracts/resolve-run-spec.ts';
import { ENGINE_LIMIT_BYTES, LOGITS_CHUNK_BYTES } from '../contracts/training-memory.ts';
import { startEngine } from '../model/backend.ts';
import { EngineMemoryError } from '../model/errors.ts';
import { smallConfig } from '../model/testing/support.ts';
import { rowsPerChunk } from '../model/token-logprobs.ts';
import { explainFailure } from './failure.ts';
import { outOfMemory } from './out-of-memory.ts';

test('names the phase, the step, how much, and the settings with what they would take', () => {
  const resolved = resolveRunSpec({ method: 'sft', model: { name: 'm' } });
  if (!resolved.ok) throw new Error('invalid');
  const error = new EngineMemoryError({ usedBytes: 3e9, neededBytes: 1e9, limitBytes: ENGINE_LIMIT_BYTES });
  const at = { phase: 'training', step: 12, spec: resolved.spec, config: smallConfig(), memory: wasmMemory } as const;
  const failure = explainFailure(outOfMemory(error, at));
  expect(failure).toMatchObject({ reason: 'oom_host', exitCode: 71 });
  expect(failure.message).toMatch(
    /in the phase training of step 12: it holds 2862 MiB and needs 954 MiB more, above its limit of 3584 MiB/,
  );
  expect(failure.remedy).toMatch(
    /Set training.micro_batch_tokens: 2048 \(\d+ MiB\), or training.gradient_checkpointing: true \(\d+ MiB\).*then resume; model.use_4bit, model.use_lora and model.lora.r need a new run/,
  );
  expect(failure.remedy).toContain('a smaller TANDEM_THREADS needs less');
  const onNode = { ...at, memory: { ...wasmMemory, engine: 'node' } } as const;
  expect(explainFailure(outOfMemory(error, onNode)).remedy).not.toContain('TANDEM_THREADS');
});

test('what settings would take is reckoned for the operations that the addon has', () => {
  const resolved = resolveRunSpec({ method: 'sft', model: { name: 'm' } });
  if (!resolved.ok) throw new Error('invalid');
  const { spec } = resolved;
  const taken = (fused: boolean) => {
    const memory = { engine: 'node', limitBytes: 1e9, fused } as const;
    const error = new EngineMemoryError({ usedBytes: 9e8, neededBytes: 2e8, limitBytes: 1e9 });
    const { remedy } = outOfMemory(error, { phase: 'training', step: 1, spec, config: smallConfig(), memory });
    return Number(/it takes about (\d+) MiB/.exec(remedy)?.[1]);
  };
  expect(taken(false)).toBeGreaterThan(taken(true));
});

test('the estimate knows the limits of the engine', async () => {
  expect((await startEngine()).memoryLimitBytes).toBe(ENGINE_LIMIT_BYTES);
  expect(rowsPerChunk(1000)).toBe(Math.floor(LOGITS_CHUNK_BYTES / 4000));
});
