import { existsSync, mkdirSync, promises, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newest } from '../checkpoints/checkpoint.fixtures.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { checkpointPrefix } from '../checkpoints/checkpoint-keys.ts';
import { createOutputTreeSink } from './output-tree.sink.ts';
import { placedManifest } from './place-checkpoint.ts';
import { openSinkFixture, RUN, type SinkFixture } from './sink.fixtures.ts';

let fixture: SinkFixture;
beforeEach(() => {
  fixture = openSinkFixture();
});
afterEach(() => fixture.close());

const LIMIT = 2;
type View = Pick<CheckpointService, 'shown' | 'fetchFile' | 'read'>;
const sink = (checkpoints: View = fixture.checkpoints.checkpoints) =>
  createOutputTreeSink({ target: fixture.target({ training: { save_total_limit: LIMIT } }), checkpoints });
const { signal } = new AbortController();
/** Fetches as from a store that is not a directory; `fetched` counts the files. */
const remote = (before: (fetched: number, to: string) => void = () => undefined): View => {
  const { shown, read } = fixture.checkpoints.checkpoints;
  let fetched = 0;
  return {
    shown,
    read,
    fetchFile: async (id, file, to) => {
      if (existsSync(to)) return;
      mkdirSync(dirname(to), { recursive: true });
      before(++fetched, to);
      writeFileSync(to, await buffer(read(id, file.path)));
    },
  };
};
const shown = (name: string) =>
  existsSync(join(fixture.tree, name)) ? readdirSync(join(fixture.tree, name)).sort() : [];
const stepOf = async (name: string) => (await placedManifest(join(fixture.tree, name)))?.step;

/** Every directory under a real name is whole, and there are not too many. */
async function expectWhole() {
  const names = shown('checkpoints').map((name) => join('checkpoints', name));
  expect(names.length).toBeLessThanOrEqual(LIMIT);
  for (const name of [...names, 'best_model', 'final']) {
    const directory = join(fixture.tree, name);
    const inode = () => statSync(directory, { throwIfNoEntry: false })?.ino;
    const looked = inode();
    if (looked === undefined) continue;
    try {
      const text = readFileSync(join(directory, 'manifest.json'), 'utf8');
      const manifest = JSON.parse(text) as { files: { path: string; size: number }[] };
      for (const { path, size } of manifest.files) expect(statSync(join(directory, path)).size).toBe(size);
    } catch (error) {
      // Moved out as a whole while it was looked at: what has the name now is looked at next time.
      if (inode() === looked) throw error;
    }
  }
}

/** What the tree showed before: the checkpoints of those steps as best and final. */
const old = ([best, final]: (number | undefined)[]): View => {
  const service = fixture.checkpoints.checkpoints;
  const at = (step: number | undefined) => service.resolve(RUN, `a1/checkpoint-${step}`);
  return { ...service, shown: () => ({ steps: [], best: at(best), final: at(final) }) };
};

/** Does `work` and stops it before its nth rename as a kill would; false when it made fewer. */
async function dyingAtRename(nth: number, work: () => Promise<void>): Promise<boolean> {
  const real = promises.rename;
  let renames = 0;
  promises.rename = (...paths) => {
    renames += 1;
    return renames < nth ? real(...paths) : Promise.reject(new Error('killed'));
  };
  syncBuiltinESMExports();
  try {
    await work();
  } catch (error) {
    if (!String(error).includes('killed')) throw error;
  } finally {
    promises.rename = real;
    syncBuiltinESMExports();
  }
  return renames >= nth;
}

const history = async () => {
  await fixture.checkpoints.save(10, ['step', 'best']);
  await fixture.checkpoints.save(20);
  await fixture.checkpoints.save(30, ['step', 'best']);
  await fixture.checkpoints.save(35, ['final']);
};

describe('the tree of a run', () => {
  it.each([
    ['a directory', () => sink()],
    ['another kind of store', () => sink(remote())],
  ])('shows the newest so many, the best and the final one, from %s', async (_what, open) => {
    await history();
    await open().catchUp(false, signal);
    expect(shown('checkpoints')).toEqual(['checkpoint-20', 'checkpoint-30']);
    expect(await stepOf('best_model')).toBe(30);
    expect(await stepOf('final')).toBe(35);
    expect(shown('checkpoints/checkpoint-30')).toEqual(['manifest.json', 'model', 'optimizer.pt']);
    await expectWhole();
    expect(readdirSync(fixture.tree).sort()).toEqual(['best_model', 'checkpoints', 'final']);
  });

  it('has no manifest that is not whole, not even aside, where one was cut off in the middle of it', async () => {
    await history();
    const { read, ...view } = remote();
    const cut: View['read'] = (id, path, range) =>
      path === 'manifest.json'
        ? Readable.from(
            (async function* () {
              yield '{"half":';
              throw new Error('cut off');
            })(),
          )
        : read(id, path, range);
    await expect(sink({ ...view, read: cut }).catchUp(false, signal)).rejects.toThrow('cut off');
    const files = readdirSync(fixture.tree, { recursive: true }).map(String);
    expect(files.filter((path) => path.endsWith('optimizer.pt'))).not.toEqual([]);
    expect(files.filter((path) => path.endsWith('/manifest.json'))).toEqual([]);
    await sink(remote()).catchUp(false, signal);
    expect(shown('checkpoints/checkpoint-30')).toEqual(['manifest.json', 'model', 'optimizer.pt']);
    await expectWhole();
  });

  it('takes no disk space of its own on the file system of the store', async () => {
    const manifest = await fixture.checkpoints.save(10);
    await sink().catchUp(false, signal);
    const inode = (directory: string) => statSync(join(directory, 'optimizer.pt')).ino;
    expect(inode(join(fixture.tree, 'checkpoints/checkpoint-10'))).toBe(
      inode(fixture.checkpoints.store.localDirectory(checkpointPrefix(manifest)) ?? ''),
    );
  });

  it('is whole and within the limit for whoever looks at any moment', async () => {
    const writer = sink();
    let done = false;
    const work = (async () => {
      for (const step of [10, 20, 30, 40, 50]) {
        await fixture.checkpoints.save(step, step % 20 ? ['step', 'best'] : ['step']);
        await writer.catchUp(false, signal);
        await fixture.checkpoints.checkpoints.prune(RUN, newest(LIMIT));
        await writer.catchUp(false, signal);
      }
      done = true;
    })();
    let looks = 0;
    for (; !done; looks++) {
      await expectWhole();
      await nextTurn();
    }
    await work;
    expect(looks).toBeGreaterThan(50);
    expect(shown('checkpoints')).toEqual(['checkpoint-40', 'checkpoint-50']);
    expect(await stepOf('best_model')).toBe(50);
  });

  it('follows the lineage: a resume takes away what it left behind', async () => {
    await history();
    await sink().catchUp(false, signal);
    fixture.checkpoints.attempts.start(RUN, { run: RUN, attempt: 1, step: 20 });
    await fixture.checkpoints.save(30);
    await sink().catchUp(false, signal);
    expect(shown('checkpoints')).toEqual(['checkpoint-20', 'checkpoint-30']);
    expect((await placedManifest(join(fixture.tree, 'checkpoints/checkpoint-30')))?.attempt).toBe(2);
    expect(await stepOf('best_model')).toBe(10);
    expect(existsSync(join(fixture.tree, 'final'))).toBe(false);
  });

  it('is whole after a kill at any file, and right after the next start', async () => {
    await history();
    for (let dieAt = 1; dieAt <= 6; dieAt++) {
      rmSync(fixture.tree, { recursive: true, force: true, maxRetries: 5 });
      const dying = remote((fetched, to) => {
        if (fetched < dieAt) return;
        writeFileSync(`${to}.part`, 'half');
        throw new Error('killed');
      });
      await expect(sink(dying).catchUp(false, signal)).rejects.toThrow('killed');
      await expectWhole();
      let again = 0;
      await sink(remote(() => (again += 1))).catchUp(false, signal);
      await expectWhole();
      expect(again).toBeLessThanOrEqual(6 - dieAt + 1);
      expect(shown('checkpoints')).toEqual(['checkpoint-20', 'checkpoint-30']);
      expect(readdirSync(fixture.tree).sort()).toEqual(['best_model', 'checkpoints', 'final']);
    }
  });

  it('has the old best and final model again after a kill at any rename of their replacement, although the store is away', async () => {
    await history();
    await sink().catchUp(false, signal);
    const before = [await stepOf('best_model'), await stepOf('final')];
    fixture.checkpoints.attempts.start(RUN, { run: RUN, attempt: 1, step: 30 });
    await fixture.checkpoints.save(40, ['step', 'best']);
    await fixture.checkpoints.save(45, ['final']);
    const away: View = { ...remote(), fetchFile: () => Promise.reject(new Error('the store is away')) };
    let died = 0;
    for (let dieAt = 1; ; dieAt++) {
      rmSync(fixture.tree, { recursive: true, force: true, maxRetries: 5 });
      await sink(old(before)).catchUp(false, signal);
      const killed = await dyingAtRename(dieAt, () => sink().catchUp(false, signal));
      if (!killed) break;
      died += 1;
      await sink(away)
        .catchUp(false, signal)
        .catch(() => undefined);
      expect(before[0] === (await stepOf('best_model')) || (await stepOf('best_model')) === 40).toBe(true);
      expect(before[1] === (await stepOf('final')) || (await stepOf('final')) === 45).toBe(true);
      await expectWhole();
      await sink().catchUp(false, signal);
      expect([await stepOf('best_model'), await stepOf('final')]).toEqual([40, 45]);
      expect(readdirSync(fixture.tree).sort()).toEqual(['best_model', 'checkpoints', 'final']);
    }
    expect(died).toBeGreaterThanOrEqual(6);
  });

  it('leaves directories of other origin alone, and says when one is in the way', async () => {
    const foreign = join(fixture.tree, 'checkpoints/checkpoint-5');
    mkdirSync(foreign, { recursive: true });
    mkdirSync(join(fixture.tree, 'best_model'), { recursive: true });
    writeFileSync(join(foreign, 'model.pt'), 'mine');
    await fixture.checkpoints.save(10, ['step', 'best']);
    await expect(sink().catchUp(false, signal)).rejects.toThrow(
      /best_model exists and was not written by run-aaaaaaaa; move it away/,
    );
    expect(readFileSync(join(foreign, 'model.pt'), 'utf8')).toBe('mine');
    expect(shown('checkpoints')).toEqual(['checkpoint-10', 'checkpoint-5']);
  });
});
