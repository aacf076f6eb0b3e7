import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { installedAddon } from '../../contracts/installed-addon.ts';
import { temporaryDirectory } from '../testing/support.ts';
import { findAddons, seesGpu } from './find-addons.ts';

test('TensorFlow is looked for where TANDEM_TENSORFLOW_HOME says, else in the cache of the user', () => {
  const named = { TANDEM_TENSORFLOW_HOME: '/opt/tf' };
  expect(installedAddon(named, '/home/u', 'cpu')).toBe('/opt/tf/cpu/tfjs_binding.node');
  expect(installedAddon({}, '/home/u', 'cuda')).toBe('/home/u/.cache/tandem/tensorflow/cuda/tfjs_binding.node');
});

test('an addon is found by its variant', async () => {
  const home = await temporaryDirectory();
  expect(findAddons({ TANDEM_TENSORFLOW_HOME: home })).toEqual({ cpu: null, cuda: null });
  await mkdir(path.join(home, 'cpu'));
  await writeFile(path.join(home, 'cpu', 'tfjs_binding.node'), '');
  expect(findAddons({ TANDEM_TENSORFLOW_HOME: home })).toEqual({
    cpu: path.join(home, 'cpu/tfjs_binding.node'),
    cuda: null,
  });
});

test.each(['', '-1'])('CUDA_VISIBLE_DEVICES=%j gives a process no GPU', (visible) => {
  expect(seesGpu({ CUDA_VISIBLE_DEVICES: visible })).toBe(false);
});
