import { expect, it } from 'vitest';
import type { Run } from './client.ts';
import { describe } from './watch.ts';

it('shows of a run in the queue what it waits for, and how far that is', () => {
  const why = 'its model, acme/large at 1111111, is being fetched: 1.2 GB of 2.4 GB (50 %)';
  const run = {
    status: 'queued',
    message: 'Waiting for its turn.',
    progress: null,
    waiting: { position: 1, why },
  } as Run;
  expect(describe(run).text).toBe(`  queued: ${why}`);
  expect(describe({ ...run, waiting: null }).text).toBe('  queued: Waiting for its turn.');
});
