import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAdamW, type Parameter } from '../optimizer/adamw.ts';
import { clipGradNorm } from '../optimizer/clip.ts';
import { schedulerState } from '../optimizer/schedule.ts';
import { matchOptimizerState, readOptimizerFile, writeOptimizerFile } from './optimizer-file.ts';
import { type FloatTensor, pyDict } from './pickle-value.ts';
import { readSchedulerFile, writeSchedulerFile } from './scheduler-file.ts';
import { writeTorchFile } from './torch-file.ts';

const golden = (name: string) => fileURLToPath(new URL(`../../../test/golden/trainer/${name}`, import.meta.url));

type Nested = number | Nested[];
type Named = Record<string, Nested>;
interface Golden {
  lr: number;
  betas: [number, number];
  eps: number;
  weight_decay: number;
  max_norm: number;
  saved_at: number;
  start: Named;
  steps: { grads: Named; lr: number; parameters: Named; exp_avg: Named; exp_avg_sq: Named }[];
}

let directory: string;
let reference: Golden;
beforeAll(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'tandem-optimizer-'));
  reference = JSON.parse(await readFile(golden('torch/adamw.json'), 'utf8'));
});
afterAll(() => rm(directory, { recursive: true }));

describe('optimizer.pt', () => {
  test.each([
    'torch/optimizer.pt',
    'torch/optimizer-deflated.pt',
  ])('%s gives the state torch had, bit for bit', async (name) => {
    const saved = await readOptimizerFile(golden(name));
    const { exp_avg: expAvg, exp_avg_sq: expAvgSq } = reference.steps[reference.saved_at - 1]!;
    expect(saved).toEqual(
      Object.keys(reference.start).map((parameter) => ({
        name: parameter,
        group: 0,
        step: reference.saved_at,
        moments: {
          shape: shapeOf(expAvg[parameter]!),
          expAvg: flat(expAvg[parameter]!),
          expAvgSq: flat(expAvgSq[parameter]!),
        },
      })),
    );
  });

  test('a run that torch began is continued with the same numbers', async () => {
    const parameters = parametersAt(reference.steps[reference.saved_at - 1]!.parameters);
    const { betas, eps, weight_decay: weightDecay } = reference;
    const optimizer = createAdamW({ parameters, betas, eps, weightDecay });
    const file = golden('torch/optimizer.pt');
    optimizer.loadStateDict(matchOptimizerState(file, await readOptimizerFile(file), parameters));
    for (const { grads, lr } of reference.steps.slice(reference.saved_at)) {
      const values = parameters.map(({ name }) => flat(grads[name]!));
      clipGradNorm(values, reference.max_norm);
      optimizer.step(values, lr);
    }
    for (const { name, data } of parameters) {
      const expected = flat(reference.steps.at(-1)!.parameters[name]!);
      for (const [i, value] of data.entries()) expect(value).toBeCloseTo(expected[i]!, 6);
    }
  });

  // `make_golden.py check` proves that torch loads these very bytes and continues from them with its own bits.
  test('is written with the bytes that were checked in torch, before and after the first update', async () => {
    const state = matchOptimizerState(
      '',
      await readOptimizerFile(golden('torch/optimizer.pt')),
      parametersAt(reference.start),
    );
    const { betas, eps, weight_decay: weightDecay, saved_at: step } = reference;
    const schedule = { type: 'linear', learningRate: reference.lr, warmupSteps: 2, totalSteps: 10 } as const;
    const options = { betas, eps, weightDecay };
    const fresh = createAdamW({ ...options, parameters: parametersAt(reference.start) }).stateDict();
    const at = (name: string) => path.join(directory, name);
    await writeOptimizerFile(at('optimizer.pt'), state, { ...options, scheduler: schedulerState(schedule, step) });
    await writeOptimizerFile(at('optimizer-fresh.pt'), fresh, { ...options, scheduler: schedulerState(schedule, 0) });
    await writeSchedulerFile(at('scheduler.pt'), schedulerState(schedule, step));
    for (const name of ['optimizer.pt', 'optimizer-fresh.pt', 'scheduler.pt']) {
      const bytes = await readFile(at(name));
      await updateGolden(name, bytes);
      expect(bytes.equals(await readFile(golden(`tandem/${name}`))), name).toBe(true);
    }
  });

  test('parameters are found by name whatever their order in the file', async () => {
    const saved = await readOptimizerFile(golden('torch/optimizer.pt'));
    const parameters = parametersAt(reference.start);
    const state = matchOptimizerState('', [...saved].reverse(), parameters);
    expect(state).toEqual(matchOptimizerState('', saved, parameters));
    expect(state.map(({ name }) => name)).toEqual(Object.keys(reference.start));
  });

  test('without names they are taken by position when all shapes agree', async () => {
    const saved = (await readOptimizerFile(golden('torch/optimizer.pt'))).map((entry) => ({ ...entry, name: null }));
    const parameters = parametersAt(reference.start);
    expect(matchOptimizerState('', saved, parameters)[2]).toMatchObject({
      name: 'norm.weight',
      step: reference.saved_at,
    });
    expect(() => matchOptimizerState('x.pt', [...saved].reverse(), parameters)).toThrow(
      'x.pt has shape [5] for parameter 0, layer.lora_A.weight; this run has [2,5]',
    );
    expect(() => matchOptimizerState('x.pt', saved.slice(1), parameters)).toThrow(
      'has 2 parameters; this run trains 3',
    );
  });

  test('of another optimizer it is named as such', async () => {
    const file = path.join(directory, 'sgd.pt');
    const momentum: FloatTensor = { kind: 'tensor', shape: [1], data: new Float32Array(1) };
    const state = pyDict<FloatTensor>([[0, pyDict<FloatTensor>([['momentum_buffer', momentum]])]]);
    const groups = [pyDict<FloatTensor>([['params', [0]]])];
    await writeTorchFile(
      file,
      'sgd',
      pyDict<FloatTensor>([
        ['state', state],
        ['param_groups', groups],
      ]),
    );
    await expect(readOptimizerFile(file)).rejects.toMatchObject({
      code: 'state_mismatch',
      message: expect.stringContaining('momentum_buffer'),
    });
    await expect(readOptimizerFile(golden('torch/scheduler.pt'))).rejects.toMatchObject({ code: 'state_mismatch' });
  });
});

describe('scheduler.pt', () => {
  test('of torch gives the step and the rates', async () => {
    const state = await readSchedulerFile(golden('torch/scheduler.pt'));
    expect(state).toMatchObject({ lastEpoch: reference.saved_at, baseLrs: [reference.lr] });
    expect(state.lastLr).toEqual([reference.steps[reference.saved_at]!.lr]);
  });

  test('of another kind is named as such', async () => {
    await expect(readSchedulerFile(golden('torch/optimizer.pt'))).rejects.toMatchObject({ code: 'state_mismatch' });
  });
});

async function updateGolden(name: string, bytes: Buffer): Promise<void> {
  if (process.env['TANDEM_UPDATE_GOLDEN'] !== '1') return;
  await mkdir(golden('tandem'), { recursive: true });
  await writeFile(golden(`tandem/${name}`), bytes);
}

function parametersAt(values: Named): Parameter[] {
  return Object.entries(values).map(([name, value]) => ({ name, shape: shapeOf(value), data: flat(value) }));
}

function flat(value: Nested): Float32Array {
  return Float32Array.from([value].flat(9) as number[]);
}

function shapeOf(value: Nested): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0]!)] : [];
}
