import { expect, it } from 'vitest';
import type { TrackerStatus } from '../../services/contracts/tracker.ts';
import { compareWithRecords } from './compare.ts';

const status: TrackerStatus = {
  ...{ kind: 'wandb', state: 'live', mode: 'new', run_id: 'run-1', run_name: 'x', project: 'me/p', url: null },
  ...{ last_step: 20, last_record: '1:9', backlog: 0, last_sent_at: null, last_error: null },
};
const held = { lastRow: null, summary: { _trainer_step: 20, 'train/loss': 0.5 } };

it('finds nothing wrong with a run whose newest row is that of its records', () => {
  expect(compareWithRecords(status, held, { 'train/loss': 0.5 })).toEqual([]);
});

it.each<[string, Partial<TrackerStatus>, typeof held | null, RegExp]>([
  ['a run that is gone', {}, null, /no run run-1 in me\/p: it was deleted/],
  ['a run of which nothing was sent', { run_id: null }, null, /nothing was sent yet/],
  ['records that were not sent', { backlog: 3 }, held, /3 records are not sent yet/],
  ['another step', { last_step: 30 }, held, /newest row of W&B is of step 20, and step 30 was sent/],
  [
    'another value',
    {},
    { ...held, summary: { ...held.summary, 'train/loss': 0.4 } },
    /train\/loss is 0.4 in W&B and 0.5/,
  ],
  [
    'a metric that is missing',
    {},
    { lastRow: null, summary: { _trainer_step: 20 } as never },
    /W&B has no train\/loss/,
  ],
  ['an error', { state: 'refused', last_error: { time: '', message: 'set a key' } }, held, /W&B is refused: set a key/],
])('names %s', (_name, change, seen, message) => {
  expect(compareWithRecords({ ...status, ...change }, seen, { 'train/loss': 0.5 })[0]).toMatch(message);
});
