import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MANIFEST_SCHEMA, type Manifest } from '../../contracts/checkpoint.ts';
import { openFileStore } from '../../platform/file-store.ts';
import { removeTree } from '../../platform/testing/remove-tree.ts';
import { copyCheckpoint } from './copy-checkpoint.ts';
import { planImport } from './plan-import.ts';

const MIB = 2 ** 20;
const RUN = 'run-00000001';
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tandem-copy-'));
});
afterEach(() => removeTree(root));

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const write = (path: string, bytes: Uint8Array | string) => {
  mkdirSync(join(root, 'in/checkpoint-3'), { recursive: true });
  writeFileSync(join(root, 'in/checkpoint-3', path), bytes);
};
async function copy(): Promise<Manifest> {
  const { folder, checkpoints } = await planImport(join(root, 'in'), {}, Date.now());
  const store = openFileStore(join(root, 'objects'));
  const createdAt = '2026-11-20T09:00:00.000Z';
  return copyCheckpoint({ folder, checkpoint: checkpoints[0]!, store, run: RUN, record: 0, createdAt });
}

it('a file of more than a part is hashed in parts as well, so that it is fetched and checked in parts', async () => {
  const bytes = Buffer.alloc(40 * MIB, 'weights of some size ');
  write('model.pt', bytes);
  write('trainer_state.json', '{"global_step": 3}');
  const { files } = await copy();
  expect(files).toContainEqual({
    path: 'model/model.pt',
    size: bytes.length,
    sha256: sha256(bytes),
    parts: { size: 16 * MIB, sha256: [0, 16, 32].map((at) => sha256(bytes.subarray(at * MIB, (at + 16) * MIB))) },
  });
  expect(files.find(({ path }) => path === 'trainer_state.json')).not.toHaveProperty('parts');
});

it('parts that a manifest of someone else’s tells are not taken over', async () => {
  const bytes = Buffer.from('weights');
  write('model.pt', bytes);
  const file = { path: 'model/model.pt', size: bytes.length, sha256: sha256(bytes) };
  const fields = {
    run: 'run-00000000',
    attempt: 1,
    step: 3,
    name: 'checkpoint-3',
    created_at: '2026-11-20T09:00:00.000Z',
  };
  const more = {
    purposes: ['step'],
    policy_version: 3,
    record: 0,
    epoch: 0,
    best_metric: null,
    metrics: {},
    inputs: {},
  };
  const parts = { size: 4, sha256: ['0'.repeat(64), '1'.repeat(64)] };
  write('manifest.json', JSON.stringify({ schema: MANIFEST_SCHEMA, ...fields, ...more, files: [{ ...file, parts }] }));
  expect((await copy()).files).toEqual([file]);
});
