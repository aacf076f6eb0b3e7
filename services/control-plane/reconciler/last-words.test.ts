import { describe, expect, it } from 'vitest';
import { lastWords } from './last-words.ts';

describe('lastWords', () => {
  it('finds the error above a stack trace', () => {
    const output = 'loading\nTypeError: x is not a function\n    at run (main.js:3:1)\n\nNode.js v20.20.2\n';
    expect(lastWords(output)).toBe('TypeError: x is not a function');
  });

  it('finds the root cause among the echoes of the processes of vLLM', () => {
    const prefix = '(EngineCore_DP0 pid=98) ERROR 04-30 19:50:08 [core.py:1108] ';
    const output = [
      `${prefix}EngineCore failed to start.`,
      `${prefix}Traceback (most recent call last):`,
      `${prefix}  File "/vllm/v1/engine/core.py", line 709, in run_engine_core`,
      `${prefix}    raise ValueError(error)`,
      `${prefix}ValueError: LoRA rank 64 is greater than max_lora_rank 16.`,
      '(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}',
    ];
    expect(lastWords(output.join('\n'))).toBe('ValueError: LoRA rank 64 is greater than max_lora_rank 16.');
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
