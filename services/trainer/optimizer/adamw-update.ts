import {
  add,
  type Code,
  constant,
  get,
  lanes,
  load,
  moduleOf,
  repeatWhile,
  set,
  spreadFloat,
  store,
  subtract,
} from '../../model/kernels/wasm-code.ts';
import { instantiate, ownMemory } from '../../model/kernels/wasm-instance.ts';

/** What an update changes, and by which gradient: all of one length. */
export interface Updated {
  readonly parameter: Float32Array;
  readonly grad: Float32Array;
  readonly expAvg: Float32Array;
  readonly expAvgSq: Float32Array;
}

/** The scalars of an update, of the names of `torch.optim.AdamW`'s arithmetic; each is rounded to float32 where it meets a tensor. */
export interface Scalars {
  /** 1 - lr * weight decay */
  readonly keep: number;
  readonly beta2: number;
  /** 1 - beta2 */
  readonly weight2: number;
  /** -lr / (1 - beta1^step) */
  readonly stepSize: number;
  /** sqrt(1 - beta2^step) */
  readonly correction2: number;
  readonly eps: number;
}

/** Floats of each array that are worked on at once: the four fill a page of memory, which a core keeps near. */
const BLOCK = 4096;
const FLOAT_BYTES = 4;
const VECTOR_BYTES = 16;

/** In the order of the places in memory. */
const ARRAYS = ['parameter', 'expAvg', 'expAvgSq', 'grad'] as const;

/**
 * AdamW's update in vector instructions, a twelfth of the time of plain code: rounded to float32 after every operation, as the tensors of PyTorch are, so
 * the bits are those of the same operations one number at a time.
 */
export function createUpdate(beta1: number): (updated: Updated, scalars: Scalars) => void {
  const weight1 = Math.fround(1 - beta1);
  const memory = ownMemory(1);
  const places = ARRAYS.map((_, i) => new Float32Array(memory.buffer, i * BLOCK * FLOAT_BYTES, BLOCK));
  const run = instantiate(updateCode(weight1), memory);
  return (updated, { keep, beta2, weight2, stepSize, correction2, eps }) => {
    for (let from = 0; from < updated.parameter.length; from += BLOCK) {
      const blocks = ARRAYS.map((name) => updated[name].subarray(from, from + BLOCK));
      for (const [i, block] of blocks.entries()) places[i]!.set(block);
      const count = blocks[0]!.length;
      run(Math.ceil(count / 4), keep, weight1, 1 - weight1, beta2, weight2, stepSize, correction2, eps);
      for (const [i, block] of blocks.slice(0, 3).entries()) block.set(places[i]!.subarray(0, count));
    }
  };
}

/** Code of `run(vectors, ...scalars)`: an update of so many vectors of 4 floats, which is not 0. */
function updateCode(weight1: number): Uint8Array<ArrayBuffer> {
  const { plus, minus, times, over, root } = lanes.float;
  let locals = 0;
  const [vectors] = [locals++];
  const [keep, towards, backwards, decay2, weight2, stepSize, correction2, eps] = Array.from({ length: 8 }, () =>
    spreadFloat(get(locals++)),
  ) as [Code, Code, Code, Code, Code, Code, Code, Code];
  const [at, g, m, v] = [locals++, locals++, locals++, locals++];
  const place = (name: (typeof ARRAYS)[number]) => ARRAYS.indexOf(name) * BLOCK * FLOAT_BYTES;
  const read = (name: (typeof ARRAYS)[number]) => load(get(at), place(name));
  const difference = minus(get(g), read('expAvg'));
  // torch.lerp takes the form that loses less, by the weight.
  const lerped =
    weight1 < 0.5 ? plus(read('expAvg'), times(towards, difference)) : minus(get(g), times(difference, backwards));
  const denominator = plus(over(root(get(v)), correction2), eps);
  return moduleOf(
    { parameters: 1, floats: 8, integers: 1, vectors: 3 },
    repeatWhile(
      get(vectors),
      set(g, read('grad')),
      set(m, lerped),
      set(v, plus(times(read('expAvgSq'), decay2), times(times(weight2, get(g)), get(g)))),
      store(get(at), place('expAvg'), get(m)),
      store(get(at), place('expAvgSq'), get(v)),
      store(
        get(at),
        place('parameter'),
        plus(times(read('parameter'), keep), over(times(stepSize, get(m)), denominator)),
      ),
      set(at, add(get(at), constant(VECTOR_BYTES))),
      set(vectors, subtract(get(vectors), constant(1))),
    ),
  );
}
