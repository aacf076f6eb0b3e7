import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { parseEnvironment, SettingsError, withEnvFile } from './settings.ts';

const schema = z.object({ PORT: z.coerce.number({ error: 'is not a number' }).default(8080) });

describe('parseEnvironment', () => {
  it('takes an empty variable for one that is not set', () => {
    expect(parseEnvironment(schema, { PORT: '' })).toEqual({ PORT: 8080 });
  });

  it('names the variable that is wrong, in one line', () => {
    expect(() => parseEnvironment(schema, { PORT: 'eighty' })).toThrow(SettingsError);
    expect(() => parseEnvironment(schema, { PORT: 'eighty' })).toThrow('PORT: is not a number');
  });
});

describe('withEnvFile', () => {
  it('lets what is set by hand win over the file, and needs no file', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tandem-env-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, '.env'), '# comment\nPORT=9000\nTANDEM_HOME="my home"\n');
    const environment = { PORT: '9001' };
    expect(withEnvFile(environment, join(directory, '.env'))).toEqual({ PORT: '9001', TANDEM_HOME: 'my home' });
    expect(withEnvFile(environment, join(directory, 'none'))).toEqual(environment);
  });
});
