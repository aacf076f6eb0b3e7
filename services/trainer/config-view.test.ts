import { expect, test } from 'vitest';
import { runSpecSchema } from '../contracts/run-spec.ts';
import { configView } from './config-view.ts';

const spec = runSpecSchema.parse({ model: { name: 'acme/small' } });
const commit = '1'.repeat(40);

test('names the commit of a model that was fetched from a hub, and no revision of any other', () => {
  const hub = { kind: 'hub', repo: 'acme/small', revision: 'main', commit } as const;
  const view = configView({ spec, output_dir: 'outputs/o', model_origin: hub });
  expect(view).toMatchObject({ model_path: 'acme/small', model_revision: commit, output_dir: 'outputs/o' });
  const stored = { kind: 'store', prefix: 'models/mine', digest: commit } as const;
  for (const model_origin of [stored, null]) {
    expect(configView({ spec, output_dir: 'outputs/o', model_origin })).not.toHaveProperty('model_revision');
  }
});
