import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readConfigs } from './read-config.ts';

const directory = mkdtempSync(join(tmpdir(), 'tandem-config-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string, text: string) => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};

it('merges configs key by key, the later over the earlier', () => {
  const base = file(
    'base.yaml',
    'model: {name: m, lora: {r: 16}}\nreward: [{name: exact}]\ntraining: {max_steps: 200}',
  );
  const smoke = file('smoke.json', '{"training": {"max_steps": 2}, "reward": [], "rollout": {"num_rollouts": 1}}');
  expect(readConfigs([base, smoke])).toEqual({
    model: { name: 'm', lora: { r: 16 } },
    reward: [],
    training: { max_steps: 2 },
    rollout: { num_rollouts: 1 },
  });
});

it('says which file cannot be used, and why', () => {
  expect(() => readConfigs([join(directory, 'none.yaml')])).toThrow(/^--config: there is no .*none\.yaml$/);
  expect(() => readConfigs([file('list.yaml', '- a')])).toThrow(/list\.yaml is no run config/);
  expect(() => readConfigs([file('broken.yaml', 'a: [1')])).toThrow(/broken\.yaml: .*line 1/s);
});
