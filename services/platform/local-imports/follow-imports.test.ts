import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { followImports, ImportRefusedError } from './follow-imports.ts';
import { javascriptImports } from './javascript.ts';
import { pythonImports } from './python.ts';

/** Files by name; the first is the one whose imports are followed. */
function follow(files: Record<string, string>): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-imports-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, 'root', name)), { recursive: true });
    writeFileSync(join(directory, 'root', name), text);
  }
  return followImports(join(directory, 'root', Object.keys(files)[0]!));
}

test('every form of import of a path is seen, and none in comments', () => {
  const source = `import a, { b } from './a.mjs'; import './b.mjs';
    export * from "../c.mjs"; import {
      d,
    } from './d.mjs';
    const e = await import(\`./e.mjs\`), f = require('./f'), data = require("./g.json");
    // import x from './no.mjs';
    /* require('./no') */ const url = 'http://host/path'; import h from './h.mjs';
    import fs from 'node:fs'; import { z } from 'zod'; import(name); import('./' + name); import(\`./\${name}.mjs\`);`;
  expect(javascriptImports(source)).toEqual([
    ...['./a.mjs', './b.mjs', '../c.mjs', './d.mjs', './e.mjs', './f', './g.json', './h.mjs'],
  ]);
});

test('every form of import of a module is seen, and none in texts and comments', () => {
  const source = `"""import no
from no import no"""
import a, b.c as d; import e
from f.g import (h,  # import no
    i as j)
from . import k
from ..l import *
if True: import m
try:
    from n import \\
        o
except ImportError: pass
text = 'import no'
raise ValueError from error
`;
  const written = pythonImports(source).map(({ level, path }) => '.'.repeat(level) + path.join('.'));
  expect(written).toEqual(['a', 'b.c', 'e', 'f.g.h', 'f.g.i', '.k', '..l', 'm', 'n.o']);
});

test('JavaScript files come with what they import, and that with what it imports', async () => {
  const files = {
    'score.mjs': "import './lib/a.mjs'; import './old'; import zod from 'zod'; import './absent.mjs';",
    'lib/a.mjs': "import '../words%201.json'; import './a.mjs?again'; import '../score.mjs';",
    'words 1.json': "import './unused.mjs'",
    'old.js': "require('./dir')",
    'dir/index.js': '',
    'package.json': '{}',
    'unused.mjs': '',
  };
  expect(await follow(files)).toEqual(['dir/index.js', 'lib/a.mjs', 'old.js', 'package.json', 'words 1.json']);
});

test('Python files come with modules and packages beside them', async () => {
  const files = {
    'score.py': 'import os, helper\nfrom package.inner import deep, value\nfrom spaces import module\n',
    'helper.py': 'import score',
    'package/__init__.py': 'from .start import x',
    'package/start.py': '',
    'package/inner/__init__.py': 'from .. import other',
    'package/inner/deep.py': 'from ..other import y\nfrom ....above import z',
    'package/other.py': '',
    'spaces/module.py': '',
    'unused.py': '',
  };
  expect(await follow(files)).toEqual([
    'helper.py',
    ...['package/__init__.py', 'package/inner/__init__.py', 'package/inner/deep.py'],
    ...['package/other.py', 'package/start.py', 'spaces/module.py'],
  ]);
});

test('what lies outside of the directory of the file is refused, with its name and what to do', async () => {
  const files = { 'score.mjs': "import './lib/a.mjs';", 'lib/a.mjs': "import '../../b.mjs';", '../b.mjs': '' };
  const failing = follow(files);
  await expect(failing).rejects.toThrow(ImportRefusedError);
  await expect(failing).rejects.toThrow(
    /^lib\/a\.mjs imports \.\.\/\.\.\/b\.mjs, which lies outside of .*root: .*move it there$/,
  );
});

test('a program that imports a whole tree is refused', async () => {
  const names = Array.from({ length: 201 }, (_, i) => `m${i}`);
  const modules = Object.fromEntries(names.map((name) => [`${name}.py`, '']));
  await expect(follow({ 'score.py': `import ${names.join(', ')}`, ...modules })).rejects.toThrow(
    'imports more than 200 files or 32 MiB',
  );
});

test.each([
  ['dots', 'score.py', `from ${'.'.repeat(1_000_000)}`],
  ['spaces of Python', 'score.py', `from${' '.repeat(1_000_000)}`],
  ['open lists', 'score.py', 'from a import (\n'.repeat(60_000)],
  ['open texts of Python', 'score.py', '\\"'.repeat(500_000)],
  ['deep packages', 'score.py', `import ${'a.'.repeat(500_000)}a`],
  ['open comments', 'score.mjs', '/* '.repeat(300_000)],
  ['open texts', 'score.mjs', '\\`'.repeat(500_000)],
  ['spaces', 'score.mjs', `import${' '.repeat(1_000_000)}`],
])('a program made to be slow to read is read in time: %s', async (_, name, source) => {
  const start = performance.now();
  expect(await follow({ [name]: source })).toEqual([]);
  expect(performance.now() - start).toBeLessThan(2000);
});

test.each([
  [
    'score.mjs',
    "import 'file://host/x.mjs';",
    /^score\.mjs imports file:\/\/host\/x\.mjs, which names no file of this machine/,
  ],
  ['score.py', `x = "${'x'.repeat(1 << 20)}"`, /^score\.py has 1048582 bytes.*move what is data in it/],
  [
    'score.mjs',
    Array.from({ length: 5001 }, (_, i) => `import './${i}';`).join(''),
    /writes 5001 imports, and 5000 at most/,
  ],
])('what cannot be followed is refused with a remedy: %s', async (name, source, message) => {
  const failing = follow({ [name]: source });
  await expect(failing).rejects.toThrow(ImportRefusedError);
  await expect(failing).rejects.toThrow(message);
});
