import { expect, test } from 'vitest';
import { ModelError } from '../../contracts/model-error.ts';
import { CheckpointError } from '../checkpoint/checkpoint-error.ts';
import { TrainerError } from '../failure.ts';
import { isCheckpointsFault } from './checkpoint-fault.ts';

const ofSystem = (code: string) => Object.assign(new Error(`${code}: it failed, open '/c/optimizer.pt'`), { code });

test.each([
  ['a file that does not verify', new CheckpointError('hash_mismatch', 'optimizer.pt', 'has another sha256'), true],
  ['weights that cannot be', new ModelError('invalid_safetensors', 'model.safetensors is cut off'), true],
  ['a file of another user', ofSystem('EACCES'), true],
  ['a disk with input/output errors', ofSystem('EIO'), true],
  ['a full disk', ofSystem('ENOSPC'), false],
  ['too many open files', ofSystem('EMFILE'), false],
  [
    'a spec that asks for something else',
    new TrainerError('invalid_spec', 'asks for too much', 'Ask for less.'),
    false,
  ],
  ['a bug', new TypeError('x is undefined'), false],
])('%s: another checkpoint may do: %s', (_what, error, expected) => {
  expect(isCheckpointsFault(error)).toBe(expected);
});
