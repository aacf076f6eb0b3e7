import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { type Bench, round, table } from './support/bench.ts';
import type { PolicyMemory } from './support/policy-memory-main.ts';

const policyMain = resolve(import.meta.dirname, 'support/policy-memory-main.js');
const model = { layers: 8, hidden: 512, heads: 8, kvHeads: 4, headDim: 64, intermediate: 1536 } as const;
const kinds = {
  full: { use_lora: false },
  lora: { use_lora: true },
  qlora: { use_lora: true, use_4bit: true },
} as const;

/** Memory and time of training steps on one model: all weights, an adapter on it, and an adapter on it in 4 bits, each in a process of its own. */
export const runQloraBench: Bench = async (print) => {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-qlora-'));
  const found: Partial<Record<keyof typeof kinds, PolicyMemory>> = {};
  try {
    await makeTinyModel(directory, model);
    for (const [kind, section] of Object.entries(kinds)) {
      const given = ['--expose-gc', policyMain, directory, JSON.stringify(section)];
      const { stdout } = await promisify(execFile)(process.execPath, given);
      found[kind as keyof typeof kinds] = JSON.parse(stdout.trim().split('\n').at(-1)!) as PolicyMemory;
    }
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
  const { full, lora, qlora } = found as Record<keyof typeof kinds, PolicyMemory>;
  const row = (kind: string, { loaded, engine, outside, peakRss, seconds, tensors }: PolicyMemory) => [
    ...[kind, loaded, engine, outside, peakRss, seconds],
    tensors[0] === tensors[1] ? 'same' : 'more',
  ];
  print(
    table([
      ['8 x 512', 'weights MiB', 'engine MiB', 'outside MiB', 'peak RSS MiB', 's/step', 'tensors'],
      ...[row('full', full), row('lora', lora), row('qlora', qlora)],
    ]),
  );
  return {
    bench: 'qlora',
    baseline: 'the same step with an adapter on float32 weights',
    engine_ratio: round(qlora.engine / lora.engine),
    step_ratio: round(qlora.seconds / lora.seconds),
    ...{ full, lora, qlora },
  };
};
