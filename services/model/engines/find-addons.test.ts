import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../testing/support.ts';
import { findAddons, seesGpu, tensorflowHome } from './find-addons.ts';

test('TensorFlow is looked for where TANDEM_TENSORFLOW_HOME says, else in the cache of the user', () => {
  expect(tensorflowHome({ TANDEM_TENSORFLOW_HOME: '/opt/tf', HOME: '/home/u' })).toBe('/opt/tf');
  expect(tensorflowHome({ HOME: '/home/u' })).toBe('/home/u/.cache/tandem/tensorflow');
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
