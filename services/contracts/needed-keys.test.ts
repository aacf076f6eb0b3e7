import { expect, it } from 'vitest';
import { missingKeys } from './needed-keys.ts';

it('asks for the key of GBox for runs on GBox only, in the words that users look for', () => {
  const gbox = { environment: { type: 'gbox' } };
  expect(missingKeys(gbox, {})).toEqual([expect.stringMatching(/^GBOX_API_KEY is not set: .*\.env/)]);
  expect(missingKeys(gbox, { GBOX_API_KEY: '' })).toHaveLength(1);
  expect(missingKeys(gbox, { GBOX_API_KEY: 'key' })).toEqual([]);
  for (const other of [{}, null, 'text', { environment: null }, { environment: { type: 'single_turn' } }]) {
    expect(missingKeys(other, {})).toEqual([]);
  }
});
