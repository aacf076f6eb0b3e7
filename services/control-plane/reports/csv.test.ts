import { expect, it } from 'vitest';
import { renderCsv } from './csv.ts';

const csv = (rows: Record<string, unknown>[]) => [...renderCsv(rows, ['step', 'eval_loss'])].join('');

it('writes a column for each key of any row, and nothing for what is no number', () => {
  const rows = [
    { step: 1, loss: 0.5 },
    { step: 2, loss: null, kl: 'NaN' },
    { step: 3, loss: 'Infinity', kl: 1e-7 },
  ];
  expect(csv(rows)).toBe('step,loss,kl\n1,0.5,\n2,,\n3,Infinity,1e-7\n');
});

it('quotes texts, and makes formulas of hostile files texts', () => {
  expect(csv([{ '=cmd()': '@SUM(A1)', 'a,b': 'say "hi"\nthere', constructor: '-1+1' }])).toBe(
    `'=cmd(),"a,b",constructor\n'@SUM(A1),"say ""hi""\nthere",'-1+1\n`,
  );
});

it('leaves a negative number a number', () => {
  expect(csv([{ loss: -0.5 }])).toBe('loss\n-0.5\n');
});

it('writes many rows in pieces', () => {
  expect([
    ...renderCsv(
      Array.from({ length: 2500 }, (_, step) => ({ step })),
      [],
    ),
  ]).toHaveLength(4);
});

it('writes the header it is given where there are no rows', () => {
  expect(csv([])).toBe('step,eval_loss\n');
});
