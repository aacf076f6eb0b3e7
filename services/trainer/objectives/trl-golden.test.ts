import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compareDpo, compareGrpo, largestDifference, type TrlGolden } from '../test-support/compare-with-trl.ts';

const golden: TrlGolden = JSON.parse(
  readFileSync(new URL('../../../test/golden/trl/golden.json', import.meta.url), 'utf8'),
);

/*
 * The same batch through TRL's loss code. Where ours is meant to differ from a run of TRL, what is different comes before the loss:
 * TRL counts the tokens of groups that agree in its normalisers, here those groups are left out; TRL's bnpo is local to a micro-batch of a
 * device, ours to an accumulated batch. In the batch of the golden file no group agrees, and there is one accumulated batch.
 */
const close = 1e-6;

test('the file covers every variant', () => {
  const types = [...golden.grpo.cases, ...golden.dpo.cases].map(({ loss_type }) => loss_type);
  expect([...new Set(types)].sort()).toEqual(
    ['bnpo', 'cispo', 'dapo', 'dr_grpo', 'grpo', 'gspo', 'hinge', 'ipo', 'sigmoid'].sort(),
  );
});

test.each(golden.grpo.cases)("$loss_type ($correction, kl $kl): loss, gradient and metrics are TRL's", (given) => {
  const compared = compareGrpo(golden, given);
  expect(largestDifference(compared), JSON.stringify(compared)).toBeLessThan(close);
});

test.each(golden.dpo.cases)("dpo $loss_type, beta $beta: loss, gradient and metrics are TRL's", (given) => {
  const compared = compareDpo(golden, given);
  expect(largestDifference(compared), JSON.stringify(compared)).toBeLessThan(close);
});
