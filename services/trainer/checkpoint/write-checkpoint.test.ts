import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { checkpointFileSchema } from '../../contracts/checkpoint.ts';
import { takeSnapshot } from './snapshot.ts';
import { filesBelow, makeTinyTraining, type TinyTraining, tinyState } from './tiny-training.fixture.ts';
import { writeCheckpoint } from './write-checkpoint.ts';

let tiny: TinyTraining;
let target: string;
beforeAll(async () => {
  tiny = await makeTinyTraining();
});
afterAll(() => tiny.remove());
beforeEach(() => {
  target = tiny.freshDirectory();
});

describe('writing a checkpoint', () => {
  test('gives the layout of requirement C1 with true sizes and hashes and nothing else', async () => {
    const files = await writeCheckpoint(target, tiny.snapshot());
    expect(files.map((file) => file.path)).toEqual([
      'model/adapter_config.json',
      'model/adapter_model.safetensors',
      'model/config.json',
      'model/generation_config.json',
      'model_version.txt',
      'optimizer.pt',
      'rng_state.json',
      'scheduler.pt',
      'tokenizer/tokenizer.json',
      'tokenizer/tokenizer_config.json',
      'training_metadata.json',
      'training_state.json',
    ]);
    expect(await filesBelow(target)).toEqual(files.map((file) => file.path));
    for (const file of files) {
      const bytes = await readFile(path.join(target, file.path));
      expect(checkpointFileSchema.parse(file)).toEqual({ path: file.path, size: bytes.length, sha256: sha256(bytes) });
    }
  });

  test('twice gives the same bytes, also over what a crash left behind', async () => {
    const snapshot = tiny.snapshot();
    const first = await writeCheckpoint(target, snapshot);
    await mkdir(path.join(target, '.writing/model'), { recursive: true });
    await writeFile(path.join(target, '.writing/model/half.safetensors'), 'half');
    await writeFile(path.join(target, 'optimizer.pt'), 'half');
    expect(await writeCheckpoint(target, snapshot)).toEqual(first);
    expect(await filesBelow(target)).toEqual(first.map((file) => file.path));
  });

  test('the snapshot stays as it was while training goes on', async () => {
    const optimizer = tiny.optimizer();
    const state = tinyState();
    const snapshot = takeSnapshot({ ...tiny.parts(state), optimizer });
    const before = await writeCheckpoint(target, snapshot);
    optimizer.step(
      optimizer.options.parameters.map(({ data }) => data.slice().fill(1)),
      0.1,
    );
    state.global_step = 41;
    expect(await writeCheckpoint(`${target}-later`, snapshot)).toEqual(before);
  });

  test('that fails leaves no temporary files behind', async () => {
    await mkdir(path.join(target, 'optimizer.pt'), { recursive: true });
    await expect(writeCheckpoint(target, tiny.snapshot())).rejects.toMatchObject({ code: 'EISDIR' });
    expect(await readdir(target)).not.toContain('.writing');
  });
});

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
