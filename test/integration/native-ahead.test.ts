import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { startEngine } from '../../services/model/backend.ts';
import { findAddons } from '../../services/model/engines/find-addons.ts';
import { settle } from '../../services/model/engines/settle.ts';
import { run } from '../../services/model/kernels/native/tensorflow.ts';

const here = findAddons(process.env).cpu !== null;

describe.skipIf(!here)('TensorFlow on cores computes behind JavaScript (needs ./scripts/install-tensorflow.sh)', () => {
  beforeAll(async () => {
    await startEngine({ engine: 'node' });
  });

  test('operations come back, with the shapes of their results, before they are done', () => {
    const large = tf.ones([1024, 1024]) as tf.Tensor2D;
    const products = () => {
      let product = large;
      for (let i = 0; i < 20; i++) product = run('MatMul', [product, large]);
      return product;
    };
    tf.tidy(products);
    settle();
    const start = performance.now();
    const product = tf.tidy(products);
    const asked = performance.now() - start;
    expect(product.shape).toEqual([1024, 1024]);
    settle();
    const done = performance.now() - start;
    expect(asked).toBeLessThan(done / 4);
  });

  test('results whose shape only their values tell are waited for', () => {
    const found = run('Where', [tf.tensor1d([0, 1, 0, 1])]);
    expect(found.shape).toEqual([2, 1]);
  });

  test('an error in the middle comes when what it led to is read, and what follows computes', () => {
    const table = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const missing = run('GatherV2', [table, tf.tensor1d([7], 'int32'), tf.scalar(0, 'int32')]);
    expect(() => run('AddV2', [missing, table]).dataSync()).toThrow(/indices\[0\] = 7 is not in \[0, 2\)/);
    expect([...run('AddV2', [table, table]).dataSync()]).toEqual([2, 4, 6, 8]);
  });

  test('arrays are copied when tensors are made of them', () => {
    // TensorFlow shares what lies at a multiple of 64: one of sixteen does.
    const all = new Float32Array(new ArrayBuffer(4096));
    for (let first = 0; first < 16; first++) {
      const values = all.subarray(first, first + 4).fill(1);
      const made = tf.tensor1d(values);
      values.fill(2);
      expect([...run<tf.Tensor1D>('AddV2', [made, made]).dataSync()]).toEqual([2, 2, 2, 2]);
    }
  });

  test('an operation of our own refuses inputs that do not fit together', () => {
    const wide = tf.ones([4, 4]);
    const add = (name: string, inputs: tf.Tensor[]) => () => run(name, inputs).dataSync();
    expect(add('TandemSwiglu', [wide, tf.ones([2, 2])])).toThrow('the inputs do not fit together');
    expect(add('TandemWeightGrad', [wide, tf.ones([2, 4])])).toThrow('the inputs do not fit together');
    expect([...run('TandemProduct', [tf.ones([1, 2]), tf.ones([2, 2])]).dataSync()]).toEqual([2, 2]);
  });

  test('what never fits together is an error at once', () => {
    expect(() => run('MatMul', [tf.ones([2, 3]), tf.ones([2, 3])])).toThrow(/Matrix size-incompatible|must be equal/);
  });
});
