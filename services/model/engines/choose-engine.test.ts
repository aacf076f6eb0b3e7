import { expect, test } from 'vitest';
import { chooseEngine, chooseInstead, type Machine } from './choose-engine.ts';

const both = { cpu: '/tf/cpu.node', cuda: '/tf/cuda.node' };
const machine = (fields: Partial<Machine>): Machine => ({
  addons: { cpu: null, cuda: null },
  gpu: false,
  node: 22,
  ...fields,
});
const chosen = (wanted: string, fields: Partial<Machine>) => {
  const { name, addon } = chooseEngine(wanted, machine(fields));
  return [name, addon];
};

test('auto takes the fastest engine that is there', () => {
  expect(chosen('auto', {})).toEqual(['wasm', null]);
  expect(chosen('auto', { gpu: true })).toEqual(['wasm', null]);
  expect(chosen('auto', { addons: { ...both, cuda: null } })).toEqual(['node', both.cpu]);
  expect(chosen('auto', { addons: { ...both, cuda: null }, gpu: true })).toEqual(['node', both.cpu]);
  expect(chosen('auto', { addons: both })).toEqual(['node', both.cpu]);
  expect(chosen('auto', { addons: both, gpu: true })).toEqual(['gpu', both.cuda]);
});

test('a CUDA build computes on cores where no GPU was given', () => {
  const addons = { ...both, cpu: null };
  expect(chosen('auto', { addons })).toEqual(['node', both.cuda]);
  expect(chosen('node', { addons, gpu: true })).toEqual(['node', both.cuda]);
});

test('what is asked for by name is what is started', () => {
  expect(chosen('wasm', { addons: both, gpu: true })).toEqual(['wasm', null]);
  expect(chosen('node', { addons: both, gpu: true })).toEqual(['node', both.cpu]);
  expect(chosen('gpu', { addons: both, gpu: true })).toEqual(['gpu', both.cuda]);
});

test.each([
  [
    'gpu',
    { gpu: true },
    'TANDEM_TF=gpu: no TensorFlow with CUDA is installed: run ./scripts/install-tensorflow.sh --cuda',
  ],
  ['gpu', { addons: both }, 'TANDEM_TF=gpu: this process was given no GPU'],
  [
    'gpu',
    { addons: both, gpu: true, node: 23 },
    'TANDEM_TF=gpu: tfjs-node runs on Node 20 and 22, and this is Node 23',
  ],
  ['node', {}, 'TANDEM_TF=node: no TensorFlow is installed: run ./scripts/install-tensorflow.sh --cpu'],
  ['node', { addons: both, node: 24 }, 'TANDEM_TF=node: tfjs-node runs on Node 20 and 22, and this is Node 24'],
  ['cpu', { addons: both }, 'TANDEM_TF=cpu: there is no such engine; it is one of auto, gpu, node, wasm'],
  ['', { addons: both }, 'TANDEM_TF=: there is no such engine'],
] satisfies [
  string,
  Partial<Machine>,
  string,
][])('%j that cannot be had is refused, not replaced: %j', (wanted, fields, message) => {
  expect(() => chooseEngine(wanted, machine(fields))).toThrow(message);
});

test('auto stays on wasm where tfjs-node breaks, and says why', () => {
  const { name, reason } = chooseEngine('auto', machine({ addons: both, gpu: true, node: 24 }));
  expect([name, reason]).toEqual(['wasm', 'tfjs-node runs on Node 20 and 22, and this is Node 24']);
});

test('what does not start is followed by the next fastest, and the reason says of what', () => {
  const instead = (failed: 'gpu' | 'node', addons: Machine['addons']) =>
    chooseInstead(failed, machine({ addons, gpu: true }), 'no driver');
  expect(instead('gpu', both)).toEqual({ name: 'node', addon: both.cpu, reason: 'gpu did not start: no driver' });
  expect(instead('gpu', { ...both, cpu: null })).toMatchObject({ name: 'node', addon: both.cuda });
  expect(instead('node', both)).toEqual({ name: 'wasm', addon: null, reason: 'node did not start: no driver' });
});
