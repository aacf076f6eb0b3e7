import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startKernels } from '../../model/testing/support.ts';
import { compareSft, type TrlSftGolden } from '../test-support/compare-sft-with-trl.ts';
import { largestDifference } from '../test-support/compare-with-trl.ts';

const golden: TrlSftGolden = JSON.parse(
  readFileSync(new URL('../../../test/golden/trl/sft.json', import.meta.url), 'utf8'),
);

test.each(
  golden.cases,
)('a step with packing $packing and completion_only_loss $completion_only has the loss and the gradients of SFTTrainer', async (given) => {
  const compared = await compareSft(golden, given, await startKernels());
  expect(largestDifference(compared), JSON.stringify(compared)).toBeLessThan(1e-5);
});

test('the file covers every combination, and packing joined examples into rows', () => {
  const kinds = golden.cases.map(({ packing, completion_only }) => [packing, completion_only]);
  expect(kinds).toEqual([false, true].flatMap((packing) => [false, true].map((only) => [packing, only])));
  for (const { packing, rows } of golden.cases) expect(rows < golden.examples.length).toBe(packing);
});
