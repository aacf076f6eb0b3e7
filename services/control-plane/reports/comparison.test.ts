import { expect, it } from 'vitest';
import { compareRuns, distinctTitles } from './comparison.ts';
import { comparedCurves, comparisonPlots } from './comparison-plots.ts';
import { renderComparisonReport } from './comparison-report.ts';
import { measureLog } from './measures.ts';
import { renderRunReport } from './run-report.ts';
import { judgeLog } from './training-log.ts';

const log = (loss: number, config: object = {}) =>
  measureLog(
    judgeLog({
      config,
      train_history: [1, 2, 3].map((step) => ({ step, loss: loss / step })),
      val_history: [{ step: 3, eval_loss: loss }],
    }),
  );
const a = { title: 'a', log: log(1), settings: { lr: 1e-5, seed: 1, only: true } };
const b = { title: '<b>', log: log(2), settings: { lr: 3e-5, seed: 1 } };

it('puts the settings that differ first, those that one run lacks among them', () => {
  expect(compareRuns([a, b]).settings).toEqual([
    { key: 'lr', values: [1e-5, 3e-5], differs: true },
    { key: 'only', values: [true, null], differs: true },
    { key: 'seed', values: [1, 1], differs: false },
  ]);
});

it('overlays the curves of one measure, not those of another unit', () => {
  const dpo = { title: 'c', log: log(3, { beta: 1 }), settings: {} };
  const plots = comparisonPlots([a, b, dpo].flatMap(comparedCurves));
  expect(plots.map(({ title, panels }) => [title, panels.map(({ curves }) => curves.length)])).toEqual([
    ['Loss (nats per token)', [2, 2]],
    ['Loss (nats per pair)', [1, 1]],
  ]);
  expect(new Set(plots.flatMap(({ panels }) => panels[0]?.curves.map(({ color }) => color))).size).toBe(3);
});

it('marks on the page what differs and what is best, and escapes names', () => {
  const page = renderComparisonReport({
    runs: [a, b],
    pictures: [],
    warnings: ['<i>'],
    madeAt: '2026-11-20T09:00:00.000Z',
  });
  expect(page.match(/<tr class="differs">/g)).toHaveLength(2);
  expect(page.match(/ top"/g)).toHaveLength(2);
  expect(page).toContain('1 settings that are the same');
  expect(page).not.toMatch(/<b>\s*<\/|<i>|<script/);
  expect(page).toContain('&#60;b&#62;');
});

it('draws a swatch as its curve, dashed from the 8th on, and tells from which on they repeat', () => {
  const page = (count: number) =>
    renderComparisonReport({
      runs: Array.from({ length: count }, (_, at) => ({ ...a, title: `run ${at}` })),
      pictures: [],
      warnings: [],
      madeAt: '2026-11-20T09:00:00.000Z',
    });
  expect(page(7)).not.toContain('repeating-linear-gradient');
  expect(page(8)).toContain('background:repeating-linear-gradient(90deg,#0072B2 ');
  expect(page(14)).not.toContain('look like earlier ones');
  expect(page(15)).toContain('the curves from the 15th on look like earlier ones');
});

it('escapes every text of a report, keys of its log too', () => {
  const hostile = '"><img src=x onerror=alert(1)>';
  const page = renderRunReport({
    title: hostile,
    log: measureLog(
      judgeLog({
        config: { [hostile]: hostile },
        train_history: [{ step: hostile, epoch: hostile }],
        val_history: [{ step: 1, [hostile]: hostile }],
      }),
    ),
    pictures: [],
    resumes: [],
    notes: [{ text: hostile, isWarning: true }],
    madeAt: hostile,
    refreshSeconds: null,
  });
  expect(page).not.toContain('<img');
});

it('names runs apart', () => {
  expect(distinctTitles(['x', 'y', 'x'])).toEqual(['x', 'y', 'x (2)']);
});
