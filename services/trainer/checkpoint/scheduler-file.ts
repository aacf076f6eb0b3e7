import type { SchedulerState } from '../optimizer/schedule.ts';
import { CheckpointError } from './checkpoint-error.ts';
import { type FloatTensor, pyDict, pyFloat } from './pickle-value.ts';
import { openTorchFile, writeTorchFile } from './torch-file.ts';
import { asDict, asNumber, listOf } from './torch-value.ts';

/** Writes `scheduler.pt` as the `state_dict()` of a `torch.optim.lr_scheduler.LambdaLR` with one parameter group. */
export async function writeSchedulerFile(file: string, { baseLrs, lastEpoch, lastLr }: SchedulerState): Promise<void> {
  const value = pyDict<FloatTensor>([
    ['base_lrs', baseLrs.map(pyFloat)],
    ['last_epoch', lastEpoch],
    ['_step_count', lastEpoch + 1],
    ['_is_initial', false],
    ['_get_lr_called_within_step', false],
    ['_last_lr', lastLr.map(pyFloat)],
    ['lr_lambdas', baseLrs.map(() => null)],
  ]);
  await writeTorchFile(file, 'scheduler', value);
}

/**
 * Reads a `scheduler.pt` of LambdaLR, ours or one that torch or the Hugging Face Trainer wrote.
 * @throws CheckpointError `invalid_file` when it is damaged, `state_mismatch` when it is of another scheduler.
 */
export async function readSchedulerFile(file: string): Promise<SchedulerState> {
  const torchFile = await openTorchFile(file);
  await torchFile.close();
  const state = asDict(torchFile.value);
  const lastEpoch = asNumber(state?.get('last_epoch'));
  const baseLrs = listOf(state?.get('base_lrs'), asNumber);
  const lastLr = listOf(state?.get('_last_lr'), asNumber) ?? baseLrs;
  if (lastEpoch === undefined || baseLrs === undefined || lastLr === undefined) {
    throw new CheckpointError('state_mismatch', file, 'is not the state of LambdaLR: it needs base_lrs and last_epoch');
  }
  return { baseLrs, lastEpoch, lastLr };
}
