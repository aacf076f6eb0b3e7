import type { Engine } from '../backend.ts';
import * as tf from '../tf.ts';
import type { AttentionShape, AttentionSpan } from './attention.ts';
import { attentionScratch } from './attention-blocks.ts';
import { attentionParameters, spanNumbers } from './attention-chunk.ts';
import { checkIndices } from './check-indices.ts';
import { differentiable } from './differentiable.ts';
import { frozenLinear, tiedFrozenHead, tiedTrainedHead, trainedLinear } from './float-linear.ts';
import { compute, computeMany, engineMemory, view } from './heap.ts';
import type { Kernels, LinearWeights } from './kernels.ts';
import { linear } from './linear.ts';
import { nf4Linear } from './nf4-linear.ts';
import { pagedAttention } from './paged-attention.ts';
import { rmsNormBackward } from './rms-norm.ts';
import { rotate } from './rope.ts';
import { groupsOf } from './row-chunks.ts';
import { gatherRows, scatterAddRows } from './rows.ts';
import type { JobName } from './threads/jobs.ts';
import { threadsOf } from './threads/threads.ts';
import { tokenLogprobsBackward, tokenLogprobsForward } from './token-logprobs.ts';

/** The kernels on tfjs's wasm backend: its matrix products and activations, and our own code on its memory for the rest. */
export function createWasmKernels(engine: Engine): Kernels {
  return {
    weights: wasmWeights,
    linear: (x, weight, term, options) => linear(engine, x, weight, term, options),
    rows,
    rmsNorm,
    rope,
    attention: (qkv, shape, spans) => attention(engine, qkv, shape, spans),
    cachedAttention,
    swiglu,
    tokenLogprobs: (logits, targets, temperature) => {
      engine.checkMemory(4 * logits.size);
      return tokenLogprobs(logits, targets, temperature);
    },
    read: (tensors, use) => use(tensors.map(view)),
  };
}

export const wasmWeights: LinearWeights = {
  trained: trainedLinear,
  frozen: frozenLinear,
  nf4: nf4Linear,
  tiedTrained: tiedTrainedHead,
  tiedFrozen: tiedFrozenHead,
};

const rows: Kernels['rows'] = (table, indices) => {
  const width = table.shape[1];
  checkIndices(indices, table.shape[0], 'row');
  return differentiable(
    [table],
    () => {
      const value = compute([table], [indices.length, width], (out, t) => gatherRows(t!, indices, width, out));
      return { value: value as tf.Tensor2D, saved: [] };
    },
    (dy) => [compute([dy], table.shape, (out, d) => scatterAddRows(d!, indices, width, out))],
  );
};

const rmsNorm: Kernels['rmsNorm'] = (x, weight, eps) => {
  const trainable = weight instanceof tf.Variable;
  return differentiable(
    trainable ? [x, weight] : [x],
    () => {
      const value = compute([x, weight], x.shape, (out, xs, w) =>
        inGroups('rmsNormForward', w!.length, [eps], [w!, xs!, out]),
      );
      return { value: value as tf.Tensor2D, saved: [x] };
    },
    (dy, saved) =>
      computeMany(
        [saved[0]!, weight, dy],
        trainable ? [x.shape, weight.shape] : [x.shape],
        ([dx, dWeight], [xs, w, d]) => {
          // The gradient of the weight is a sum over all groups.
          if (dWeight) rmsNormBackward(xs!, w!, eps, d!, dx!, dWeight);
          else inGroups('rmsNormBackward', w!.length, [eps], [w!, xs!, d!, dx!]);
        },
      ),
  );
};

const rope: Kernels['rope'] = (x, positions, table) =>
  differentiable(
    [x],
    () => {
      const value = compute([x], x.shape, (out, xs) => rotate(table, positions, 1, xs!, out));
      return { value: value as tf.Tensor2D, saved: [] };
    },
    (dy) => [compute([dy], x.shape, (out, d) => rotate(table, positions, -1, d!, out))],
  );

function attention(
  engine: Engine,
  { q, k, v }: Parameters<Kernels['attention']>[0],
  shape: AttentionShape,
  spans: readonly AttentionSpan[],
) {
  const threads = threadsOf(engineMemory());
  const rows = q.shape[0];
  const scratchFloats = attentionScratch(shape, spans);
  const numbers = spanNumbers(spans);
  // Doubles are tensors of twice as many floats, which nothing reads as such.
  const [ofSpans, ofLse] = [[2 * numbers.length], [2 * rows * shape.heads]];
  const chunks = spans.length * shape.kvHeads;
  const scratch = [threads.slots(chunks) * scratchFloats];
  const placed = (spansIn: Float32Array, memory: Float32Array) => {
    new Float64Array(spansIn.buffer, spansIn.byteOffset, numbers.length).set(numbers);
    return { spans: spansIn.byteOffset, scratch: memory.byteOffset, scratchFloats };
  };
  return differentiable<tf.Tensor2D>(
    [q, k, v],
    () => {
      engine.checkMemory(4 * scratch[0]!);
      const [value, lse, ...used] = computeMany(
        [q, k, v],
        [q.shape, ofLse, ofSpans, scratch],
        ([out, totals, spansIn, memory], [qs, ks, vs]) => {
          out!.fill(0);
          const places = {
            ...placed(spansIn!, memory!),
            ...addresses({ q: qs!, k: ks!, v: vs!, out: out!, lse: totals! }),
          };
          threads.run('attentionForward', attentionParameters(shape, rows, places), chunks);
        },
      );
      tf.dispose(used);
      return { value: value as tf.Tensor2D, saved: [q, k, v, value!, lse!] };
    },
    (dy, saved) => {
      engine.checkMemory(4 * scratch[0]!);
      return computeMany(
        [...saved, dy],
        [q.shape, k.shape, v.shape, ofSpans, scratch],
        ([dq, dk, dv, spansIn, memory], [qs, ks, vs, out, totals, dOut]) => {
          for (const gradient of [dq!, dk!, dv!]) gradient.fill(0);
          const gradients = addresses({ dOut: dOut!, dq: dq!, dk: dk!, dv: dv! });
          const values = addresses({ q: qs!, k: ks!, v: vs!, out: out!, lse: totals! });
          const places = { ...placed(spansIn!, memory!), ...values, gradients };
          threads.run('attentionBackward', attentionParameters(shape, rows, places), chunks);
        },
      ).slice(0, 3);
    },
  );
}

function addresses<K extends string>(views: Readonly<Record<K, Float32Array>>): Record<K, number> {
  const entries = Object.entries<Float32Array>(views).map(([name, { byteOffset }]) => [name, byteOffset]);
  return Object.fromEntries(entries) as Record<K, number>;
}

const cachedAttention: Kernels['cachedAttention'] = (q, caches, shape, spans) =>
  compute([q], q.shape, (out, qs) => pagedAttention(shape, spans, caches, qs!, out)) as tf.Tensor2D;

const swiglu: Kernels['swiglu'] = (gate, up) =>
  differentiable(
    [gate, up],
    () => {
      const sigmoid = tf.sigmoid(gate);
      const value = compute([gate, up, sigmoid], gate.shape, (out, ...views) =>
        inGroups('swigluForward', 1, [], [...views, out]),
      );
      return { value: value as tf.Tensor2D, saved: [gate, up, sigmoid] };
    },
    (dy, saved) =>
      computeMany([...saved, dy], [gate.shape, up.shape], (outs, views) =>
        inGroups('swigluBackward', 1, [], [...views, ...outs]),
      ),
  );

/** Has threads do what treats groups of `size` values by themselves. @param views the last of them has all groups; its parameters are `options` and their addresses */
function inGroups(job: JobName, size: number, options: readonly number[], views: readonly Float32Array[]): void {
  const groups = views.at(-1)!.length / size;
  const { perChunk, chunks } = groupsOf(groups, size);
  const places = views.map(({ byteOffset }) => byteOffset);
  threadsOf(engineMemory()).run(job, [groups, size, perChunk, ...options, ...places], chunks);
}

const tokenLogprobs: Kernels['tokenLogprobs'] = (logits, targets, temperature) => {
  const rowCount = targets.length;
  checkIndices(targets, logits.shape[1], 'target token');
  let logTotals = new Float64Array(0) as Float64Array;
  const both = differentiable<tf.Tensor2D>(
    [logits],
    () => {
      const value = compute([logits], [2, rowCount], (out, z) => {
        logTotals = tokenLogprobsForward(z!, targets, temperature, out);
      }) as tf.Tensor2D;
      return { value, saved: [logits, value] };
    },
    (dy, saved) => [
      compute([...saved, dy], logits.shape, (out, z, forward, d) => {
        tokenLogprobsBackward({ logits: z!, forward: forward!, logTotals, dy: d! }, targets, temperature, out);
      }),
    ],
  );
  const row = (i: number) => tf.reshape(tf.slice(both, [i, 0], [1, rowCount]), [rowCount]) as tf.Tensor1D;
  return { logprobs: row(0), entropy: row(1) };
};
