import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { programFile } from './program-file.ts';

const root = resolve(import.meta.dirname, '../..');
const of = (module: string) => programFile(pathToFileURL(resolve(root, module)).href, 'draw.main.js');

it('is beside a built module, and what was built beside a source', () => {
  expect(of('dist/services/a/b/c.js')).toBe(resolve(root, 'dist/services/a/b/draw.main.js'));
  expect(of('services/a/b/c.ts')).toBe(resolve(root, 'dist/services/a/b/draw.main.js'));
});
