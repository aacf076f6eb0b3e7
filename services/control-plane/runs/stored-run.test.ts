import { expect, test } from 'vitest';
import { runSpecSchema } from '../../contracts/run-spec.ts';
import { parse, type StoredRun } from './stored-run.ts';

const stored = (spec: object) =>
  ({
    ...{ labels: '{}', warnings: '[]', start_from: '{}', reward_files: '[]', model_origin: null },
    spec: JSON.stringify(spec),
  }) as StoredRun;

test('a spec is checked once for all who look at its run, and none of them can change it for the others', () => {
  const row = stored({ model: { name: 'models/tiny' } });
  const { spec } = parse(row);
  expect(spec).toEqual(runSpecSchema.parse({ model: { name: 'models/tiny' } }));
  expect(parse(row).spec).toBe(spec);
  expect(() => Object.assign(spec.training, { max_steps: 1 })).toThrow(TypeError);
  expect(parse(stored({ model: { name: 'models/other' } })).spec.model.name).toBe('models/other');
});

test('a spec that this build cannot read is shown as it is', () => {
  expect(parse(stored({ method: 'of tomorrow' })).spec).toEqual({ method: 'of tomorrow' });
});
