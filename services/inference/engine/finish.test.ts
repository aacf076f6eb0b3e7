import { describe, expect, it } from 'vitest';
import { samplingOptions } from '../testing/tiny-engine.ts';
import { bannedTokens, finishAfter, matchStop } from './finish.ts';

describe('finishAfter', () => {
  const options = samplingOptions({ eosTokenIds: [2], stopTokenIds: [7, 2], maxTokens: 4 });

  it('ends at an end token with no stop reason, at a stop token with its id', () => {
    expect(finishAfter([5, 2], options)).toEqual({ reason: 'stop', stopReason: null });
    expect(finishAfter([5, 7], options)).toEqual({ reason: 'stop', stopReason: 7 });
    expect(finishAfter([5, 6], options)).toBeNull();
  });

  it('goes past an end token when told to ignore it, unless it is also a stop token', () => {
    expect(finishAfter([2], { ...options, ignoreEos: true, stopTokenIds: [] })).toBeNull();
    expect(finishAfter([2], { ...options, ignoreEos: true })).toEqual({ reason: 'stop', stopReason: 2 });
  });

  it('ends for length at max_tokens, but a stop on the last token counts as a stop', () => {
    expect(finishAfter([1, 1, 1, 1], options)).toEqual({ reason: 'length', stopReason: null });
    expect(finishAfter([1, 1, 1, 7], options)).toEqual({ reason: 'stop', stopReason: 7 });
  });

  it('bans end and stop tokens until min_tokens are drawn', () => {
    const atLeast3 = { ...options, minTokens: 3 };
    expect(bannedTokens(2, atLeast3)).toEqual([2, 7]);
    expect(bannedTokens(3, atLeast3)).toEqual([]);
    expect(finishAfter([1, 7], atLeast3)).toBeNull();
  });
});

describe('matchStop', () => {
  const options = samplingOptions({ stop: ['END', '##'] });

  it('finds the stop string that comes first, also across the seam of old and new text', () => {
    expect(matchStop('a E', 3, options)).toBeNull();
    expect(matchStop('a END##', 3, options)).toEqual({ stop: 'END', text: 'a ' });
    expect(matchStop('a ##END', 3, options)).toEqual({ stop: '##', text: 'a ' });
  });

  it('keeps the stop string in the text on request', () => {
    expect(matchStop('a END b', 0, { ...options, includeStopInOutput: true })?.text).toBe('a END');
  });
});
