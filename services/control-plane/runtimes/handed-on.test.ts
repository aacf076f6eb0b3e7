import { expect, test } from 'vitest';
import { engineVariables, handedOn } from './handed-on.ts';

test('programs of a run hear how to compute, and nothing that was not asked for or that says nothing', () => {
  const environment = { TANDEM_TF: 'node', TANDEM_TF_AHEAD: '0', TANDEM_THREADS: '', TANDEM_API_KEY: 'secret' };
  expect(handedOn(environment, engineVariables)).toEqual({ TANDEM_TF: 'node', TANDEM_TF_AHEAD: '0' });
});
