import { describe, expect, it } from 'vitest';
import { lastWords } from './last-words.ts';

describe('lastWords', () => {
  it('finds the error above a stack trace', () => {
    const output = 'loading\nTypeError: x is not a function\n    at run (main.js:3:1)\n\nNode.js v20.20.2\n';
    expect(lastWords(output)).toBe('TypeError: x is not a function');
  });

  it('takes the last line where none speaks of an error', () => {
    expect(lastWords('one\ntwo\n\n')).toBe('two');
    expect(lastWords('')).toBeNull();
  });

  it('is one line without control characters, and not endless', () => {
    expect(lastWords('\u001b[31mFatal\u001b[0m')).toBe('Fatal');
    expect(lastWords('x'.repeat(1000))).toHaveLength(301);
  });
});
