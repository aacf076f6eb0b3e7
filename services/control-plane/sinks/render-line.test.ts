import { describe, expect, it } from 'vitest';
import { renderLine } from './render-line.ts';

const line = (message: string) => renderLine({ time: '2026-11-20T09:00:00.123Z', level: 'INFO', message });

describe('renderLine', () => {
  it('is what the guides show on a terminal', () => {
    expect(line('Training step | loss=0.234 | policy_loss=0.201 | kl_loss=0.033')).toBe(
      '2026-11-20 09:00:00 - INFO - Training step | loss=0.234 | policy_loss=0.201 | kl_loss=0.033',
    );
  });

  it('keeps letters of any language, signs and emoji', () => {
    expect(line('✓ Größe 世界 4 × 4 👩‍💻')).toMatch(/INFO - ✓ Größe 世界 4 × 4 👩‍💻$/);
  });

  it.each([
    ['colours', '\u001b[31mred\u001b[0m', 'red'],
    ['a window title', '\u001b]0;owned\u0007text', ']0;ownedtext'],
    ['a sequence that never ends and would hide what follows', '\u001b[31mFatal\u0007 error', 'Fatal error'],
    ['a carriage return in a line', 'safe\rforged', 'safe\n2026-11-20 09:00:00 - INFO - forged'],
    ['control characters', 'a\u0000b\u0008c\u007fd\u009be', 'abcde'],
    ['text that runs backwards', 'a\u202eb\u2066c', 'abc'],
  ])('lets no model output play with the terminal: %s', (_what, message, shown) => {
    expect(line(message)).toBe(`2026-11-20 09:00:00 - INFO - ${shown}`);
  });

  it('gives each line of a message its own prefix, so that none can pose as another record', () => {
    expect(line('Group Summary:\n2026-11-20 09:00:01 - ERROR - forged').split('\n')).toEqual([
      '2026-11-20 09:00:00 - INFO - Group Summary:',
      '2026-11-20 09:00:00 - INFO - 2026-11-20 09:00:01 - ERROR - forged',
    ]);
  });
});
