import { expect, it } from 'vitest';
import { flattenConfig } from './flatten-config.ts';

it('names values by their place, writes lists as JSON and leaves out what is null', () => {
  const config = {
    method: 'grpo',
    training: { learning_rate: 1e-5, eval_steps: null },
    lora: { targets: ['q', 'k'] },
    bf16: true,
  };
  expect(Object.fromEntries(flattenConfig(config))).toEqual({
    method: 'grpo',
    'training.learning_rate': 1e-5,
    'lora.targets': '["q","k"]',
    bf16: true,
  });
});
