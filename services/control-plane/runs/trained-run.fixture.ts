import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '../../platform/database.ts';
import { reconcileUntil, type TestBench } from '../testing.ts';
import type { Wiring } from '../wiring.ts';

/** A run that has ended, with an adapter as checkpoint at step 4 in a store of files. */
export async function trainedRun(
  bench: TestBench,
  wiring: Wiring & { db: Database },
  change: Record<string, unknown> = {},
): Promise<string> {
  bench.script('trainer', 'exit 70');
  const { body } = await wiring.service.submit(
    bench.spec({ recovery: { max_restarts: 0 }, ...change }),
    () => undefined,
  );
  await reconcileUntil(wiring, () => {
    const isWritten = wiring.db.get('SELECT 1 FROM runs WHERE files_due = 1') === undefined;
    return wiring.service.get(body.id).status === 'failed' && isWritten;
  });
  const directory = join(bench.root, `.tandem/objects/runs/${body.id}/checkpoints/a1/checkpoint-4`);
  mkdirSync(join(directory, 'model'), { recursive: true });
  writeFileSync(join(directory, 'model/adapter_model.safetensors'), 'weights');
  const manifest = {
    ...{ schema: 'tandem.checkpoint/1', run: body.id, attempt: 1, name: 'checkpoint-4', step: 4 },
    ...{ created_at: '2026-11-20T09:00:00.000Z', purposes: ['step'], policy_version: 4, record: 0, epoch: 0 },
    ...{ best_metric: null, metrics: {}, inputs: {} },
    files: [{ path: 'model/adapter_model.safetensors', size: 7, sha256: 'a'.repeat(64) }],
  };
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify(manifest));
  // What is queued is looked for in the store.
  await wiring.service.resume(body.id, { from: 'latest', overrides: {}, fork: false }, () => undefined);
  await wiring.recover();
  wiring.service.cancel(body.id);
  return body.id;
}
