import * as tf from '@tensorflow/tfjs';
import { startEngine } from '../../services/model/backend.ts';
import { matMul } from '../../services/model/kernels/native/arithmetic.ts';

/**
 * Multiplies on TensorFlow until its input ends; says that it is ready, and in the end how many SIGUSR2 came to the handler and how many products were
 * wrong.
 */
const INNER = 512;
let signals = 0;
process.on('SIGUSR2', () => {
  signals += 1;
});
await startEngine({ engine: 'node' });
const [left, right] = [tf.fill([64, INNER], 0.5), tf.fill([INNER, 64], 0.5)];
let wrong = 0;
process.stdout.write('ready\n');
let ended = false;
process.stdin.resume().on('end', () => {
  ended = true;
});
while (!ended) {
  for (let i = 0; i < 50; i++) {
    const product = matMul(left, right);
    if (product.dataSync().some((value) => value !== INNER / 4)) wrong += 1;
    product.dispose();
  }
  await new Promise((resolve) => setImmediate(resolve));
}
process.stdout.write(`${JSON.stringify({ signals, wrong })}\n`);
