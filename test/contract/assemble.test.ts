import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

const script = resolve(import.meta.dirname, '../../compose/images/tandem/assemble.sh');

it('an image is not made without a package that is meant for this platform, and those of others and of development are not asked for', () => {
  const root = mkdtempSync(join(tmpdir(), 'tandem-assemble-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const packages = {
    '': {},
    'node_modules/plain': { optional: true },
    'node_modules/here': { os: [process.platform], cpu: [process.arch] },
    'node_modules/elsewhere': { os: ['plan9'], cpu: [process.arch] },
    'node_modules/checks': { dev: true },
  };
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages }));
  const { status, stderr } = spawnSync('sh', [script, join(root, 'image'), '--built'], { cwd: root, encoding: 'utf8' });
  expect(status).not.toBe(0);
  expect(stderr).toBe('assemble.sh: not installed: node_modules/plain, node_modules/here; run npm ci\n');
});
