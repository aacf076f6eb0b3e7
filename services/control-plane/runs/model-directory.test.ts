import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { safetensorsOf, writeBenchModel } from '../testing.ts';
import { judgeDirectory } from './model-directory.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-model-'));
  writeBenchModel(directory);
});
afterEach(() => rmSync(directory, { recursive: true }));

const write = (name: string, content: string | Buffer) => writeFileSync(join(directory, name), content);
const remove = (name: string) => rmSync(join(directory, name));
const weights = safetensorsOf({ w: { dtype: 'F32', shape: [4], data_offsets: [0, 16] } }, 16);
const index = (...shards: string[]) =>
  write(
    'model.safetensors.index.json',
    JSON.stringify({ weight_map: Object.fromEntries(shards.map((shard, i) => [`w${i}`, shard])) }),
  );

it.each<[string, () => void]>([
  ['one file of weights', () => write('model.safetensors', weights)],
  [
    'all shards of the index',
    () => {
      remove('model.safetensors');
      index('a.safetensors', 'b.safetensors');
      write('a.safetensors', weights);
      write('b.safetensors', weights);
    },
  ],
])('a directory with %s and a tokenizer is taken', async (_what, change) => {
  change();
  expect(await judgeDirectory(directory)).toBeNull();
});

it.each<[string, () => void, RegExp]>([
  ['no tokenizer', () => remove('tokenizer.json'), /has no tokenizer\.json.*save_pretrained/],
  ['no weights', () => remove('model.safetensors'), /has no model\.safetensors; choose another/],
  [
    'weights of another format alone',
    () => {
      remove('model.safetensors');
      write('pytorch_model.bin', 'x');
    },
    /has no model\.safetensors, only pytorch_model\.bin/,
  ],
  [
    'weights that are cut off',
    () => write('model.safetensors', weights.subarray(0, -5)),
    /holds 11 bytes of data; its header describes 16; copy or download/,
  ],
  ['a header that is cut off', () => write('model.safetensors', weights.subarray(0, 20)), /it is truncated; copy/],
  ['an empty file', () => write('model.safetensors', ''), /is 0 bytes long/],
  [
    'a shard less than the index names',
    () => {
      remove('model.safetensors');
      index('a.safetensors', 'b.safetensors');
      write('a.safetensors', weights);
    },
    /index\.json names b\.safetensors, which is not there; copy or download it again/,
  ],
  [
    'an index that is cut off',
    () => {
      remove('model.safetensors');
      write('model.safetensors.index.json', '{"weight_map":');
    },
    /index\.json is not JSON/,
  ],
  [
    'a pipe for weights',
    () => {
      remove('model.safetensors');
      execFileSync('mkfifo', [join(directory, 'model.safetensors')]);
    },
    /is not a file/,
  ],
])('a directory with %s is refused', async (_what, change, message) => {
  change();
  expect(await judgeDirectory(directory)).toMatch(message);
});
