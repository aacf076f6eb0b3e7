import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { initialLoraWeights } from '../../services/model/lora.ts';
import { writePeftAdapter } from '../../services/model/peft.ts';
import { fillNormal } from '../../services/model/random.ts';
import { makeTinyModel, type TinyModelOptions } from '../../services/model/tiny-model.ts';
import { type Bench, round, table } from './support/bench.ts';
import { benchModels, largestModel } from './support/bench-models.ts';
import { fastest, median, timed, timedInTurns } from './support/measure.ts';
import { type EngineEnd, type StepProcess, startStepProcess } from './support/step-process.ts';
import { type BenchMethod, benchMethods, stepShape, stepTokens } from './support/step-shape.ts';
import { benchLora } from './support/training-step.ts';

const trainingMain = resolve(import.meta.dirname, 'support/training-main.js');
const pytorchScript = resolve(import.meta.dirname, '../../../test/bench/support/training_step.py');
const ENGINES = ['wasm', 'node', 'gpu'] as const;
const LOSS_TOLERANCE = 2e-4;
/** Of the adapter's B. */
const ADAPTER_DEVIATION = 0.02;

type Engine = (typeof ENGINES)[number];
type Runner = Engine | 'checkpointing' | 'plain' | 'pytorch';
/** `plain` has SFT alone. */
type PerMethod = Partial<Record<BenchMethod, number>>;
type Seconds = Partial<Record<Runner, PerMethod>>;
type Ends = Partial<Record<Runner, EngineEnd>>;

/**
 * Steps of SFT, DPO and GRPO with LoRA on 4 sequences of 128 tokens, of each engine that can be had, each in a process of its own, in turns: with gradient checkpointing on wasm (`checkpointing`), written
 * with plain tfjs operations on its pure JavaScript backend (`plain`, SFT alone), and in PyTorch. They do the same work: each begins with a step of each method from the same adapter, and the
 * losses of these agree, those of the second and third after the updates of the first ones. `--full`: also the largest model that the 4 GiB of wasm hold.
 */
export const runTrainerBench: Bench = async (print, { full }) => {
  const small = await measureModel('4 x 256', benchModels['4 x 256'], print, {
    runners: ['pytorch', ...ENGINES, 'checkpointing', 'plain'],
    ...{ count: 7, warmup: 3 },
  });
  const largest = largestModel();
  const name = `${largest.layers} x ${largest.hidden}`;
  const large = full
    ? await measureModel(name, largest, print, { runners: ['pytorch', ...ENGINES], count: 2, warmup: 0 })
    : null;
  return {
    bench: 'trainer',
    baseline:
      'the same steps in PyTorch eager with PEFT on the same cores, in plain tfjs operations on its cpu backend, and the products of the same engine',
    model: '4 x 256',
    ...small,
    largest: large && { model: name, ...large },
  };
};

interface Turns {
  readonly count: number;
  readonly warmup: number;
}

type Processes = Partial<Record<Runner, StepProcess>>;

async function measureModel(
  name: string,
  options: TinyModelOptions,
  print: (line: string) => void,
  { runners, ...turns }: Turns & { readonly runners: readonly Runner[] },
) {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-trainer-'));
  const processes: Processes = {};
  const why: Partial<Record<Runner, string>> = {};
  try {
    const adapter = await writeModel(directory, options);
    for (const runner of runners) {
      const started = await start(runner, directory, adapter);
      if ('why' in started) why[runner] = started.why;
      else processes[runner] = started;
    }
    const first = await firstSteps(processes);
    const { plain: _, ...inTurns } = processes;
    const times = await timeSteps(inTurns, turns);
    const seconds = { ...times.fastest, ...(first.plain && { plain: first.plain.seconds }) };
    const { medians } = times;
    const ends: Ends = {};
    for (const [runner, each] of Object.entries(processes)) ends[runner as Runner] = await each.end();
    print(tableOf(name, { seconds, medians, ends }));
    for (const [runner, reason] of Object.entries(why)) print(`no ${runner}: ${reason}`);
    return { ...figuresOf({ processes, seconds, medians, ends }), ...(Object.keys(why).length > 0 && { why }) };
  } finally {
    for (const each of Object.values(processes)) each.stop();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** And an adapter as training leaves one: with a new one, whose B is zero, policy and reference are the same. */
async function writeModel(directory: string, options: TinyModelOptions): Promise<string> {
  const config = await makeTinyModel(directory, options);
  const weights = new Map(initialLoraWeights(benchLora, config, 1));
  for (const [i, [name, { shape, data }]] of [...weights].entries()) {
    if (name.includes('lora_B')) weights.set(name, { shape, data: fillNormal(data.slice(), ADAPTER_DEVIATION, 2, i) });
  }
  const adapter = join(directory, 'adapter');
  await mkdir(adapter);
  await writePeftAdapter(adapter, { config: benchLora, weights, baseModel: directory });
  return adapter;
}

function start(runner: Runner, directory: string, adapter: string) {
  if (runner === 'pytorch') return startPytorch(directory, adapter);
  const given =
    runner === 'checkpointing' ? ['wasm', directory, adapter, 'checkpointing'] : [runner, directory, adapter];
  return startStepProcess(process.execPath, [trainingMain, ...given]);
}

/** On all cores, as people run it. */
async function startPytorch(directory: string, adapter: string) {
  const python = process.env['TANDEM_TORCH_PYTHON'] ?? join(homedir(), '.cache/tandem-test/torch/bin/python');
  if (!existsSync(python)) {
    return { why: `${python} is missing; TANDEM_TORCH_PYTHON names a Python with torch, transformers and peft` };
  }
  return startStepProcess(python, [pytorchScript, directory, adapter, JSON.stringify(stepShape)]);
}

/**
 * A step of each method, of `plain` of SFT alone: it takes half a minute.
 * @throws Error when engines differ in a loss.
 */
async function firstSteps(processes: Processes): Promise<Partial<Record<Runner, { readonly seconds: PerMethod }>>> {
  const found: Partial<Record<Runner, { readonly seconds: PerMethod }>> = {};
  const losses: PerMethod = {};
  for (const [runner, each] of Object.entries(processes) as [Runner, StepProcess][]) {
    const seconds: PerMethod = {};
    for (const method of runner === 'plain' ? (['sft'] as const) : benchMethods) {
      const time = await timed(async () => {
        const loss = await each.step(method);
        losses[method] ??= loss;
        requireSameLoss(runner, method, loss, losses[method]);
      });
      seconds[method] = time / 1000;
    }
    found[runner] = { seconds };
  }
  return found;
}

function requireSameLoss(runner: Runner, method: BenchMethod, loss: number, expected: number): void {
  if (Math.abs(loss - expected) <= LOSS_TOLERANCE * Math.abs(expected)) return;
  throw new Error(
    `the engines do not do the same work: the first ${method} loss of ${runner} is ${loss}, not ${expected}`,
  );
}

/** In seconds. The fastest step is one that nothing else got in the way of; with several threads that is luck, which the median leaves out. */
async function timeSteps(processes: Processes, turns: Turns): Promise<{ fastest: Seconds; medians: Seconds }> {
  const [least, medians]: [Seconds, Seconds] = [{}, {}];
  for (const method of benchMethods) {
    const works = Object.entries(processes).map(([runner, each]) => [runner, () => each.step(method)] as const);
    const times = await timedInTurns(Object.fromEntries(works), turns);
    for (const [runner, each] of Object.entries(times) as [Runner, number[]][]) {
      least[runner] = { ...least[runner], [method]: fastest(each) / 1000 };
      medians[runner] = { ...medians[runner], [method]: median(each) / 1000 };
    }
  }
  return { fastest: least, medians };
}

function tableOf(name: string, { seconds, medians, ends }: Omit<Measured, 'processes'>): string {
  const rows = Object.entries(seconds).flatMap(([runner, times]) =>
    Object.entries(times).map(([method, each]) => [
      `${runner}, ${method}`,
      each * 1000,
      stepTokens / each,
      ratioToPytorch(seconds, runner as Runner, method as BenchMethod) ?? '',
      ratioToPytorch(medians, runner as Runner, method as BenchMethod) ?? '',
      Math.round(ends[runner as Runner]!.peakMib),
    ]),
  );
  return table([
    [`${name}, steps of ${stepTokens} tokens`, 'ms', 'tokens/s', 'to PyTorch', 'by medians', 'peak MiB'],
    ...rows,
  ]);
}

function ratioToPytorch(seconds: Seconds, runner: Runner, method: BenchMethod): number | null {
  const [pytorch, ours] = [seconds.pytorch?.[method], seconds[runner]?.[method]];
  return pytorch && ours ? round(pytorch / ours) : null;
}

interface Measured {
  readonly processes: Processes;
  readonly seconds: Seconds;
  readonly medians: Seconds;
  readonly ends: Ends;
}

function figuresOf(measured: Measured) {
  const { processes, seconds, ends } = measured;
  const [wasm, checkpointing] = [seconds.wasm!, seconds.checkpointing];
  return {
    engines: Object.fromEntries(ENGINES.map((engine) => [engine, engineFigures(engine, measured)])),
    pytorch: processes.pytorch
      ? {
          version: processes.pytorch.version,
          threads: processes.pytorch.threads,
          peak_mib: Math.round(ends.pytorch!.peakMib),
        }
      : null,
    checkpointing: checkpointing && {
      engine_ratio: round(ends.checkpointing!.engineMib! / ends.wasm!.engineMib!),
      step_ratio: round(checkpointing.sft! / wasm.sft!),
    },
  };
}

/** Of SFT, and per method; null where the engine cannot be had. */
function engineFigures(engine: Engine, { processes, seconds, medians, ends }: Measured) {
  const [started, times, end] = [processes[engine], seconds[engine], ends[engine]];
  if (!started || !times || !end) return null;
  const of = (method: BenchMethod) => ({
    tokens_per_s: round(stepTokens / times[method]!),
    ratio_to_pytorch: ratioToPytorch(seconds, engine, method),
    median_ratio_to_pytorch: ratioToPytorch(medians, engine, method),
    flop_share: round(started.flops![method] / times[method]! / end.matmulPeak!),
  });
  return {
    ...of('sft'),
    ratio_to_purejs: seconds.plain ? round(seconds.plain.sft! / times.sft!) : null,
    peak_mib: Math.round(end.peakMib),
    matmul_gflops: round(end.matmulPeak! / 1e9),
    ...(end.engineMib && { engine_mib: Math.round(end.engineMib), matmul_time_share: round(end.matmulTimeShare!) }),
    methods: Object.fromEntries(benchMethods.map((method) => [method, of(method)])),
  };
}
