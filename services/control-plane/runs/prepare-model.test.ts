import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileStore } from '../../platform/file-store.ts';
import type { ObjectStore, ObjectTransfers } from '../../platform/object-store.ts';
import { manifestOf } from '../checkpoints/checkpoint.fixtures.ts';
import { checkpointPrefix } from '../checkpoints/checkpoint-keys.ts';
import { createTestBench, type TestBench } from '../testing.ts';

let bench: TestBench;
let server: Server;
/** Downloads that were begun; none is ever answered. */
let downloads: number;
beforeEach(async () => {
  bench = await createTestBench();
  downloads = 0;
  server = createServer(() => {
    downloads += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await bench.remove();
  server.closeAllConnections();
  server.close();
});

const path = (name: string) => join(bench.root, name);
const mine = { training: { output_dir: 'outputs/mine' } };

/** An ended run with a model, whose tree is `outputs/mine`. */
async function endedRun(): Promise<string> {
  const wiring = await bench.open();
  const { id } = (await wiring.service.submit(bench.spec(mine), () => undefined)).body;
  const files = ['model/config.json', 'model/model.safetensors'].map((name) => {
    return { path: name, size: 2, sha256: 'a'.repeat(64) };
  });
  const manifest = manifestOf(id, 1, 40, ['step'], { files });
  const directory = path(`.tandem/objects/${checkpointPrefix(manifest)}`);
  mkdirSync(join(directory, 'model'), { recursive: true });
  for (const file of files) writeFileSync(join(directory, file.path), '{}');
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify(manifest));
  await wiring.recover();
  wiring.service.cancel(id);
  writeFileSync(path('outputs/mine/notes.txt'), 'mine');
  await wiring.close();
  return id;
}

/** The same files, in a store that is no directory. */
const remote = (transfers: Pick<ObjectTransfers, 'link'> | null): ObjectStore => ({
  ...openFileStore(path('.tandem/objects')),
  localDirectory: () => null,
  transfers: transfers as ObjectTransfers | null,
});

describe('a model that cannot be fetched', () => {
  it('leaves the tree that would have been moved aside where it is, and nothing in the work directory', async () => {
    const old = await endedRun();
    const wiring = await bench.open({ store: remote(null) });
    const fresh = {
      model: { name: `runs/${old}/a1/checkpoint-40` },
      training: { ...mine.training, start_fresh: true },
    };
    await expect(wiring.service.submit(bench.spec(fresh), () => undefined)).rejects.toMatchObject({
      type: 'unavailable',
    });
    expect(bench.read('outputs/mine/notes.txt')).toBe('mine');
    expect(wiring.service.get(old).output_dir).toBe('outputs/mine');
    expect(existsSync(path(`outputs/mine.${old}`))).toBe(false);
    expect(readdirSync(path('.tandem/work'))).toEqual([]);
  });

  it('is given up when the process ends, and leaves nothing', async () => {
    const old = await endedRun();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const wiring = await bench.open({ store: remote({ link: async () => url }) });
    const asked = wiring.service.submit(
      bench.spec({ model: { name: `runs/${old}/a1/checkpoint-40` } }),
      () => undefined,
    );
    const refused = expect(asked).rejects.toMatchObject({ type: 'unavailable' });
    await expect.poll(() => downloads).toBeGreaterThan(0);
    wiring.interrupt();
    await refused;
    expect(readdirSync(path('.tandem/work'))).toEqual([]);
    expect(wiring.service.list({ limit: 9 }).runs).toHaveLength(1);
  });
});
