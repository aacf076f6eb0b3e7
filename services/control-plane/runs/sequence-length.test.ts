import { describe, expect, test } from 'vitest';
import { resolveRunSpec } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { fitSequenceLength } from './sequence-length.ts';

function spec(written: object): RunSpec {
  const resolved = resolveRunSpec(written);
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.spec;
}

describe('fitSequenceLength', () => {
  const left = spec({ model: { name: 'models/tiny' } });

  test('lowers the default to what the model was made for, and only then', () => {
    expect(fitSequenceLength(left, { limit: 512, isWritten: false })).toMatchObject({
      spec: { model: { max_seq_length: 512 } },
      issues: [],
    });
    expect(fitSequenceLength(left, { limit: 32_768, isWritten: false }).spec).toBe(left);
    expect(fitSequenceLength(left, { limit: null, isWritten: false }).spec).toBe(left);
  });

  test('refuses a length that was asked for and is more than the model can', () => {
    const asked = spec({ model: { name: 'models/tiny', max_seq_length: 1024 } });
    expect(fitSequenceLength(asked, { limit: 512, isWritten: true }).issues).toEqual([
      { path: 'model.max_seq_length', message: expect.stringMatching(/512 or less/) },
    ]);
  });

  test('says when the fitted length leaves no room for a prompt', () => {
    expect(fitSequenceLength(left, { limit: 128, isWritten: false }).issues).toMatchObject([
      { path: 'rollout.max_new_tokens' },
    ]);
  });
});
