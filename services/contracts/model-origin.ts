import { z } from 'zod';
import { field } from './field.ts';

/** Where a model that has to be fetched comes from, pinned: the same origin always means the same bytes. */
export const modelOriginSchema = z
  .discriminatedUnion('kind', [
    z
      .strictObject({
        kind: field(z.literal('hub'), 'A model hub.', 'hub'),
        repo: field(z.string(), 'Its name there.', 'Qwen/Qwen3-0.6B'),
        revision: field(z.string(), 'As the run was submitted with: branch, tag or commit.', 'main'),
        commit: field(
          z.string(),
          'What that meant then; the run keeps it.',
          'c1899de289a04d12100db370d81485cdf75e47ca',
        ),
      })
      .meta({ id: 'HubModelOrigin' }),
    z
      .strictObject({
        kind: field(z.literal('store'), 'The object store.', 'store'),
        prefix: field(z.string(), 'Where its objects lie.', 'models/mine'),
        digest: field(z.string(), 'Of their names, sizes and stated hashes.', 'd'.repeat(40)),
      })
      .meta({ id: 'StoreModelOrigin' }),
  ])
  .meta({ id: 'ModelOrigin', description: 'Where a model was fetched from.' });
export type ModelOrigin = z.infer<typeof modelOriginSchema>;
