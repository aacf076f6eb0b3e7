import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { type Bench, round, table } from './support/bench.ts';
import { benchModels } from './support/bench-models.ts';
import type { TrainingFigures } from './support/training-main.ts';
import { stepShape } from './support/training-step.ts';

const run = promisify(execFile);
const trainingMain = resolve(import.meta.dirname, 'support/training-main.js');
const pytorchScript = resolve(import.meta.dirname, '../../../test/bench/support/training_step.py');
const [STEPS, WARMUP] = [15, 3];
/** One of its steps takes as long as dozens of the others. */
const [PLAIN_STEPS, PLAIN_WARMUP] = [1, 0];
const LOSS_TOLERANCE = 1e-3;

/**
 * Training steps with LoRA on 4 sequences of 128 tokens, each engine in a process of its own: Tandem's kernels on wasm, with and without gradient checkpointing, the same step written with
 * plain tfjs operations on its pure JavaScript backend, and in PyTorch. They do the same work: their first losses agree.
 */
export const runTrainerBench: Bench = async (print) => {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-trainer-'));
  const models: Record<string, Awaited<ReturnType<typeof measureModel>>> = {};
  try {
    for (const [name, options] of Object.entries(benchModels)) {
      const at = join(directory, name.replaceAll(' ', ''));
      await makeTinyModel(at, options);
      models[name] = await measureModel(at, print, name);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
  const why = 'this build has the wasm engine only: TensorFlow for Node is not installed with it';
  return {
    bench: 'trainer',
    baseline:
      'the same SFT step with plain tfjs operations on its cpu backend, in PyTorch, and the products of the same engine',
    model: '4 x 256',
    engines: { wasm: models['4 x 256'], node: null },
    why: { node: why },
    small: models['2 x 64'],
  };
};

async function measureModel(directory: string, print: (line: string) => void, name: string) {
  const wasm = await measureTfjs('wasm', directory, STEPS, WARMUP);
  const again = await measureTfjs('wasm', directory, STEPS, WARMUP, 'again');
  const plain = await measureTfjs('cpu', directory, PLAIN_STEPS, PLAIN_WARMUP);
  const pytorch = await measurePytorch(directory);
  for (const { sftLoss } of [again, plain]) requireSameLoss(wasm.sftLoss, sftLoss);
  if (pytorch.figures) requireSameLoss(wasm.sftLoss, pytorch.figures.sftLoss);
  const rate = (seconds: number) => wasm.tokens / seconds;
  const rows: (string | number)[][] = [
    [`${name}, SFT step`, 'ms', 'tokens/s', 'engine MiB'],
    ['wasm', wasm.sftSeconds * 1000, rate(wasm.sftSeconds), wasm.engineMib!],
    ['wasm, gradient checkpointing', again.sftSeconds * 1000, rate(again.sftSeconds), again.engineMib!],
    ['wasm, GRPO step', wasm.grpoSeconds! * 1000, rate(wasm.grpoSeconds!), ''],
    ['plain JavaScript', plain.sftSeconds * 1000, rate(plain.sftSeconds), ''],
  ];
  if (pytorch.figures) {
    const { threads, version, sftSeconds } = pytorch.figures;
    rows.push([`PyTorch ${version}, ${threads} threads`, sftSeconds * 1000, rate(sftSeconds), '']);
  } else {
    print(`no PyTorch: ${pytorch.why}`);
  }
  print(table(rows));
  return {
    tokens_per_s: round(rate(wasm.sftSeconds)),
    grpo_tokens_per_s: round(rate(wasm.grpoSeconds!)),
    ratio_to_pytorch: pytorch.figures ? round(pytorch.figures.sftSeconds / wasm.sftSeconds) : null,
    ...(pytorch.figures ? { pytorch_threads: pytorch.figures.threads } : { why: pytorch.why }),
    ratio_to_purejs: round(plain.sftSeconds / wasm.sftSeconds),
    flop_share: round(wasm.flops / wasm.sftSeconds / wasm.matmulPeak),
    matmul_gflops: round(wasm.matmulPeak / 1e9),
    matmul_time_share: round(wasm.matmulTimeShare!),
    peak_mib: Math.round(wasm.peakMib),
    engine_mib: Math.round(wasm.engineMib!),
    checkpointing: {
      engine_ratio: round(again.engineMib! / wasm.engineMib!),
      step_ratio: round(again.sftSeconds / wasm.sftSeconds),
    },
  };
}

async function measureTfjs(
  engine: 'wasm' | 'cpu',
  directory: string,
  steps: number,
  warmup: number,
  ...layers: 'again'[]
) {
  const given = [engine, directory, String(steps), String(warmup), ...layers];
  const { stdout } = await run(process.execPath, [trainingMain, ...given]);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as TrainingFigures;
}

interface PytorchFigures {
  sftLoss: number;
  sftSeconds: number;
  threads: number;
  version: string;
}

/** On all cores, as people run it; wasm has one thread. */
async function measurePytorch(directory: string): Promise<{ figures?: PytorchFigures; why?: string }> {
  const python = process.env['TANDEM_BENCH_PYTHON'] ?? join(homedir(), '.cache/tandem-test/torch/bin/python');
  if (!existsSync(python)) {
    return { why: `${python} is missing; TANDEM_BENCH_PYTHON names a Python with torch, transformers and peft` };
  }
  const given = [pytorchScript, directory, String(STEPS), String(WARMUP), JSON.stringify(stepShape)];
  const { stdout } = await run(python, given);
  return { figures: JSON.parse(stdout.trim().split('\n').at(-1)!) as PytorchFigures };
}

function requireSameLoss(loss: number, other: number): void {
  if (Math.abs(loss - other) <= LOSS_TOLERANCE * Math.abs(loss)) return;
  throw new Error(`the engines do not do the same work: their first losses are ${loss} and ${other}`);
}
