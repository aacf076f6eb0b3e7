import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { StartError } from '../start-error.ts';
import { ensureApiKeyFile } from './api-key-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'tandem-key-'));
afterAll(() => rmSync(directory, { recursive: true }));

it('makes a key that only its owner can read, and leaves the one that is there', async () => {
  const path = join(directory, 'secrets', 'api-key');
  await ensureApiKeyFile(path);
  const key = readFileSync(path, 'utf8');
  expect(key).toMatch(/^[0-9a-f]{64}\n$/);
  expect(statSync(path).mode & 0o777).toBe(0o600);

  await ensureApiKeyFile(path);
  expect(readFileSync(path, 'utf8')).toBe(key);
  expect(readdirSync(join(directory, 'secrets'))).toEqual(['api-key']);
});

it('says what to do when it cannot be written', async () => {
  writeFileSync(join(directory, 'file'), '');
  const refused = ensureApiKeyFile(join(directory, 'file', 'api-key'));
  await expect(refused).rejects.toThrow(StartError);
  await expect(refused).rejects.toThrow(/^TANDEM_API_KEY_FILE: .*\/file\/api-key cannot be made \(\w+\); name a file/);
});
