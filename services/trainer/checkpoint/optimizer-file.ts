import type { AdamWOptions, AdamWState, Parameter, ParameterState } from '../optimizer/adamw.ts';
import type { SchedulerState } from '../optimizer/schedule.ts';
import { CheckpointError } from './checkpoint-error.ts';
import { type FloatTensor, type PyDict, type PyValue, pyDict, pyFloat, pyTuple } from './pickle-value.ts';
import { openTorchFile, type TorchFile, writeTorchFile } from './torch-file.ts';
import type { StoredTensor } from './torch-globals.ts';
import { decays, torchOrder } from './torch-order.ts';
import { asDict, asNumber, asText, isStoredTensor, listOf } from './torch-value.ts';

/** What AdamW remembers of one parameter, as a file has it: `name` is null where the file has no names, `moments` before an update. */
export interface SavedParameter {
  readonly name: string | null;
  /** Index of its parameter group. */
  readonly group: number;
  readonly step: number;
  readonly moments: {
    readonly shape: readonly number[];
    readonly expAvg: Float32Array;
    readonly expAvgSq: Float32Array;
  } | null;
}

/**
 * Writes `optimizer.pt` as the `state_dict()` of a `torch.optim.AdamW(model.parameters())` with one parameter group. torch loads it by
 * position, so the parameters are in `torchOrder`; the names go to the group's `param_names`, where torch itself keeps them.
 */
export async function writeOptimizerFile(
  file: string,
  state: AdamWState,
  settings: Pick<AdamWOptions, 'betas' | 'eps' | 'weightDecay'> & { readonly scheduler: SchedulerState },
): Promise<void> {
  const ordered = torchOrder(state);
  const group: PyDict<FloatTensor> = pyDict<FloatTensor>([
    ['param_names', ordered.map(({ name }) => name)],
    ['lr', pyFloat(settings.scheduler.lastLr[0]!)],
    ['betas', pyTuple<FloatTensor>(pyFloat(settings.betas[0]), pyFloat(settings.betas[1]))],
    ['eps', pyFloat(settings.eps)],
    ['weight_decay', pyFloat(settings.weightDecay)],
    ['amsgrad', false],
    ['maximize', false],
    ['foreach', null],
    ['capturable', false],
    ['differentiable', false],
    ['fused', null],
    ['decoupled_weight_decay', true],
    ['initial_lr', pyFloat(settings.scheduler.baseLrs[0]!)],
    ['params', ordered.map((_, i) => i)],
  ]);
  // torch makes a parameter's state at its first update, and takes one without moments for damaged.
  const updated = ordered.map((parameter, i) => [i, parameter] as const).filter(([, { step }]) => step > 0);
  const states = pyDict<FloatTensor>(updated.map(([i, parameter]) => [i, encodeParameter(parameter)]));
  await writeTorchFile(
    file,
    'optimizer',
    pyDict<FloatTensor>([
      ['state', states],
      ['param_groups', [group]],
    ]),
  );
}

/**
 * Reads an `optimizer.pt` of AdamW or Adam, ours or one that torch or the Hugging Face Trainer wrote. Parameters are in the order of the
 * groups.
 *
 * @throws CheckpointError `invalid_file` when it is damaged, `state_mismatch` when it is of another optimizer.
 */
export async function readOptimizerFile(file: string): Promise<SavedParameter[]> {
  const torchFile = await openTorchFile(file);
  try {
    const root = asDict(torchFile.value);
    const [states, groups] = [asDict(root?.get('state')), listOf(root?.get('param_groups'), asDict)];
    if (!states || !groups) throw otherOptimizer(file, 'it has no `state` and `param_groups`');
    const parameters: SavedParameter[] = [];
    for (const [at, group] of groups.entries()) {
      const names = listOf(group.get('param_names'), asText);
      for (const [i, id] of (listOf(group.get('params'), asNumber) ?? []).entries()) {
        parameters.push(
          await readParameter(torchFile, { file, id, group: at, name: names?.[i] ?? null, state: states.get(id) }),
        );
      }
    }
    return parameters;
  } finally {
    await torchFile.close();
  }
}

/**
 * Puts what a file has into the order of the optimizer: by name, or where the file has none by the place that torch gives each parameter, if all shapes
 * agree. The Hugging Face Trainer's files have two groups: what decays, then biases and norms.
 * @throws CheckpointError `state_mismatch` saying which parameter does not fit.
 */
export function matchOptimizerState(
  file: string,
  saved: readonly SavedParameter[],
  parameters: readonly Parameter[],
): AdamWState {
  if (saved.length !== parameters.length) {
    throw new CheckpointError(
      'state_mismatch',
      file,
      `has ${saved.length} parameters; this run trains ${parameters.length}`,
    );
  }
  const byName = new Map(saved.map((entry) => [entry.name, entry]));
  const byPlace = byName.has(null) ? placeByTorch(file, saved, parameters) : null;
  return parameters.map(({ name, shape, data }, i) => {
    const entry = (byPlace ?? byName).get(name);
    if (entry === undefined) throw new CheckpointError('state_mismatch', file, `has no parameter ${name}`);
    const { step, moments } = entry;
    if (moments === null)
      return { name, shape, step: 0, expAvg: new Float32Array(data.length), expAvgSq: new Float32Array(data.length) };
    if (moments.shape.join() !== shape.join()) {
      throw new CheckpointError(
        'state_mismatch',
        file,
        `has shape [${moments.shape}] for parameter ${i}, ${name}; this run has [${shape}]`,
      );
    }
    return { name, shape, step, expAvg: moments.expAvg, expAvgSq: moments.expAvgSq };
  });
}

function placeByTorch(
  file: string,
  saved: readonly SavedParameter[],
  parameters: readonly Parameter[],
): Map<string, SavedParameter> {
  const ordered = torchOrder(parameters);
  const groups = new Set(saved.map(({ group }) => group)).size;
  if (groups > 2) throw new CheckpointError('state_mismatch', file, `has ${groups} parameter groups without names`);
  const first = groups < 2 ? ordered : ordered.filter(({ name }) => decays(name));
  const places = [...first, ...ordered.filter((each) => !first.includes(each))];
  const split = saved.filter(({ group }) => group === saved[0]?.group).length;
  if (split !== first.length) {
    throw new CheckpointError(
      'state_mismatch',
      file,
      `has ${split} parameters in its first group; this run has ${first.length} that decay`,
    );
  }
  return new Map(places.map(({ name }, i) => [name, saved[i] as SavedParameter]));
}

function encodeParameter({ step, shape, expAvg, expAvgSq }: ParameterState): PyDict<FloatTensor> {
  return pyDict<FloatTensor>([
    ['step', { kind: 'tensor', shape: [], data: Float32Array.of(step) }],
    ['exp_avg', { kind: 'tensor', shape, data: expAvg }],
    ['exp_avg_sq', { kind: 'tensor', shape, data: expAvgSq }],
  ]);
}

async function readParameter(
  torchFile: TorchFile,
  from: { file: string; id: number; group: number; name: string | null; state: PyValue<StoredTensor> | undefined },
): Promise<SavedParameter> {
  const { file, id, group, name, state } = from;
  const fields = asDict(state);
  if (!fields) return { name, group, step: 0, moments: null };
  const [expAvg, expAvgSq, step] = ['exp_avg', 'exp_avg_sq', 'step'].map((key) => fields.get(key));
  if (!isStoredTensor(expAvg) || !isStoredTensor(expAvgSq) || fields.has('max_exp_avg_sq')) {
    throw otherOptimizer(
      file,
      `parameter ${id} has ${[...fields.keys()].join(', ')} instead of exp_avg, exp_avg_sq and step`,
    );
  }
  if (expAvg.shape.join() !== expAvgSq.shape.join()) {
    throw new CheckpointError(
      'invalid_file',
      file,
      `has moments of two shapes, [${expAvg.shape}] and [${expAvgSq.shape}], for parameter ${id}`,
    );
  }
  const steps = isStoredTensor(step) ? (await torchFile.readFloats(step))[0] : asNumber(step);
  if (steps === undefined) throw otherOptimizer(file, `parameter ${id} has no step`);
  const moments = {
    shape: expAvg.shape,
    expAvg: await torchFile.readFloats(expAvg),
    expAvgSq: await torchFile.readFloats(expAvgSq),
  };
  return { name, group, step: steps, moments };
}

function otherOptimizer(file: string, problem: string): CheckpointError {
  return new CheckpointError('state_mismatch', file, `is not the state of AdamW: ${problem}`);
}
