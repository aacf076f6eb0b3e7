import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDirectory, writeFileAtomic } from './atomic-file.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-atomic-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('writeFileAtomic', () => {
  it('shows a reader who looks all the time one whole content or the other', async () => {
    const path = join(directory, 'log.json');
    const contents = ['a', 'b'].map((letter) => letter.repeat(300_000));
    writeFileSync(path, contents[0] as string);
    let writing = true;
    const writes = (async () => {
      for (let round = 0; round < 20; round++) await writeFileAtomic(path, contents[round % 2] as string);
      writing = false;
    })();
    while (writing) {
      expect(contents).toContain(readFileSync(path, 'utf8'));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writes;
    expect(readdirSync(directory)).toEqual(['log.json']);
  });

  it('leaves the old file and no temporary one when it fails', async () => {
    mkdirSync(join(directory, 'taken'));
    await expect(writeFileAtomic(join(directory, 'taken'), 'x')).rejects.toThrow(/EISDIR|directory/);
    expect(readdirSync(directory)).toEqual(['taken']);
  });
});

describe('makeDirectory', () => {
  it('fails where directories cannot be, and does not try for ever', async () => {
    await expect(makeDirectory('/proc/none/of/it')).rejects.toThrow(/\/proc/);
  });

  it('creates all missing parents and is content with what is there', async () => {
    const path = join(directory, 'a/b/c');
    await makeDirectory(path);
    await makeDirectory(path);
    expect(existsSync(path)).toBe(true);
  });
});
