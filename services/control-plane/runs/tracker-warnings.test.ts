import { expect, it } from 'vitest';
import type { RunSpecInput } from '../../contracts/run-spec.ts';
import { specOf } from '../sinks/sink.fixtures.ts';
import { trackerWarnings } from './tracker-warnings.ts';

const warn = (monitoring: RunSpecInput['monitoring'], environment: Record<string, string> = {}) =>
  trackerWarnings(specOf({ monitoring }), environment);

it('a tracker that is turned on and cannot send yet is told, with what it needs', () => {
  expect(warn({ enable_wandb: true, enable_mlflow: true })).toEqual([
    expect.stringMatching(/^monitoring\.enable_wandb: .*WANDB_API_KEY/),
    expect.stringMatching(/^monitoring\.enable_mlflow: .*MLFLOW_TRACKING_URI.* monitoring\.mlflow_tracking_uri/),
  ]);
  expect(warn({ enable_mlflow: true }, { MLFLOW_TRACKING_URI: '' })).toHaveLength(1);
});

it.each([
  ['an address in the environment', { enable_mlflow: true }, { MLFLOW_TRACKING_URI: 'http://mlflow:5000' }],
  ['an address in the spec', { enable_mlflow: true, mlflow_tracking_uri: 'http://mlflow:5000' }, {}],
  ['a key', { enable_wandb: true }, { WANDB_API_KEY: 'k'.repeat(40) }],
  ['nothing turned on', {}, {}],
])('with %s there is no warning', (_, monitoring, environment) => {
  expect(warn(monitoring, environment)).toEqual([]);
});
