import type * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import type { Decoder } from '../../model/decoder.ts';
import { EngineMemoryError } from '../../model/errors.ts';
import { generationRequest, served, tinyDecoder, tinyEngine } from '../testing/tiny-engine.ts';

let decoder: Decoder;
let passes: number[];

beforeAll(async () => {
  decoder = await tinyDecoder();
});

/** A model on a machine whose memory holds a pass over `most` tokens. */
function crampedDecoder(most: number): Decoder {
  passes = [];
  return {
    ...decoder,
    hidden(batch, options): tf.Tensor2D {
      const tokens = batch.tokens.length;
      passes.push(tokens);
      if (tokens > most) throw new EngineMemoryError({ usedBytes: 1, neededBytes: tokens, limitBytes: most });
      return decoder.hidden(batch, options);
    },
  };
}

const requests = (model: ReturnType<typeof served>) =>
  Array.from({ length: 6 }, (_, i) =>
    generationRequest(model, [1 + i, 2, 3, 4, 5, 6, 7], { seed: BigInt(i), maxTokens: 5 }, { n: 2 }),
  );

it('a pass that does not fit is split, down to pieces of a prompt, and nothing changes in the completions', async () => {
  const { engine } = tinyEngine();
  const expected = await Promise.all(requests(served('m', decoder)).map((request) => engine.generate(request)));
  const { engine: cramped, deaths } = tinyEngine();
  const squeezed = requests(served('m', crampedDecoder(3))).map((request) => cramped.generate(request));
  expect(await Promise.all(squeezed)).toEqual(expected);
  expect(deaths).toEqual([]);
  expect(passes.filter((tokens) => tokens <= 3).length).toBeGreaterThan(20);
});

it('a request that does not fit even alone fails with the sizes, and the engine lives on', async () => {
  const { engine, deaths } = tinyEngine();
  const hopeless = engine.generate(generationRequest(served('m', crampedDecoder(0)), [1, 2], {}, { n: 3 }));
  await expect(hopeless).rejects.toBeInstanceOf(EngineMemoryError);
  const fine = await engine.generate(generationRequest(served('m', decoder), [1, 2]));
  expect(fine.choices).toHaveLength(1);
  expect(deaths).toEqual([]);
  expect(engine.load).toMatchObject({ running: 0, waiting: 0, kvUsage: 0 });
});
