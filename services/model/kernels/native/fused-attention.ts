import type { Engine } from '../../backend.ts';
import type { AttentionSpan } from '../attention.ts';
import { differentiable } from '../differentiable.ts';
import type { Kernels } from '../kernels.ts';
import { floats, run, runMany, whole } from './tensorflow.ts';

/** As `attention`, in one operation each way, which reads heads where they lie and keeps no softmax. */
export function fusedAttention(engine: Engine, ...[{ q, k, v }, shape, spans]: Parameters<Kernels['attention']>) {
  const bounds = boundsOf(spans);
  const width = [whole('width', shape.headDim)];
  const [ofQueries, ofKeys] = [q, k].map(({ size }) => Float32Array.BYTES_PER_ELEMENT * size) as [number, number];
  return differentiable(
    [q, k, v],
    () => {
      engine.checkMemory(ofQueries);
      return { value: run('TandemAttention', [q, k, v, floats(bounds)], width), saved: [q, k, v] };
    },
    (dy, [queries, keys, values]) => {
      engine.checkMemory(ofQueries, ofKeys, ofKeys);
      return runMany('TandemAttentionGrad', [queries!, keys!, values!, floats(bounds), dy], 3, width);
    },
  );
}

/** Where sequences begin, and where the last one ends. */
function boundsOf(spans: readonly AttentionSpan[]): number[] {
  return [0, ...spans.map(({ queryStart, queryLength }) => queryStart + queryLength)];
}
