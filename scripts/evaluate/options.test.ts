import { expect, it } from 'vitest';
import { UsageError } from '../train/options.ts';
import { readOptions } from './options.ts';
import { renderTable } from './table.ts';

it('asks for what the flags say, and for nothing that they do not', () => {
  const args = [
    '--checkpoint',
    'runs/run-aaaaaaaa/best',
    '--data',
    'test.jsonl',
    '--max_eval_samples',
    '5',
    '--before',
  ];
  expect(readOptions(args, { TANDEM_URL: 'http://a/' })).toEqual({
    request: { checkpoint: 'runs/run-aaaaaaaa/best', data: 'test.jsonl', max_eval_samples: 5 },
    overrides: [],
    before: true,
    url: 'http://a',
    keep: false,
  });
});

it.each([
  [['--data', 'd'], /--checkpoint or --model/],
  [['--checkpoint', 'c', '--model', 'm', '--data', 'd'], /one of them/],
  [['--model', 'm'], /--data is missing/],
  [['--model', 'm', '--data', 'd', '--before'], /--before compares with a --checkpoint/],
  [['--model', 'm', '--data', 'd', '--max_eval_samples', '0'], /--max_eval_samples is 0/],
])('refuses %j with what is wrong', (args, message) => {
  const read = () => readOptions(args, {});
  expect(read).toThrow(UsageError);
  expect(read).toThrow(message);
});

it('sets evaluations side by side', () => {
  const evaluation = {
    ...{ step: 0, is_baseline: false, accuracy: 0.5, correct_answers: 5, total_samples: 10, avg_reward: 0.5 },
    ...{ median_reward: 0, std_reward: 0.5, min_reward: 0, max_reward: 1, eval_time: 1 },
  };
  const after = { ...evaluation, accuracy: 0.9, eval_loss: 0.25 };
  expect(
    renderTable([
      { title: 'before', evaluation },
      { title: 'run/checkpoint-4', evaluation: after },
    ]),
  ).toEqual([
    '                before  run/checkpoint-4',
    'accuracy        0.5000  0.9000',
    'correct         5/10    5/10',
    'average reward  0.5000  0.5000',
    'std reward      0.5000  0.5000',
    'eval loss               0.2500',
  ]);
});
