import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';
import { createRedactor } from './redaction.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-log-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** What a logger with these options writes to the terminal and to its file. */
async function written(
  options: Partial<Parameters<typeof createLogger>[0]>,
  use: (log: ReturnType<typeof createLogger>) => void,
): Promise<{ terminal: string; file: string }> {
  const terminal = new PassThrough();
  const log = createLogger({ level: 'info', file: { directory, name: 'control-plane' }, terminal, ...options });
  use(log);
  await log.close();
  const name = readdirSync(directory).find((each) => each.endsWith('.log'));
  return { terminal: String(terminal.read() ?? ''), file: name ? readFileSync(join(directory, name), 'utf8') : '' };
}

describe('createLogger', () => {
  it('writes a readable line to the terminal and the same as JSON to a file named by its day', async () => {
    const { terminal, file } = await written({}, (log) => log.info('Listening.', { port: 8080 }));
    expect(terminal).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - INFO - Listening\. port=8080\n$/);
    expect(JSON.parse(file)).toMatchObject({ level: 'INFO', message: 'Listening.', port: 8080 });
    expect(readdirSync(directory).filter((name) => /^control-plane-\d{4}-\d\d-\d\d\.log$/.test(name))).toHaveLength(1);
  });

  it('leaves out what is below its level', async () => {
    const { file } = await written({ level: 'warn' }, (log) => {
      log.info('quiet');
      log.debug('quieter');
      log.warn('loud');
    });
    expect(
      file
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).message),
    ).toEqual(['loud']);
  });

  it('carries the fields of a child on each of its lines', async () => {
    const { file } = await written({}, (log) => log.child({ run: 'run-1' }).info('x', { attempt: 2 }));
    expect(JSON.parse(file)).toMatchObject({ run: 'run-1', attempt: 2 });
  });

  it('keeps the stack of an error for the file and shows its message on the terminal', async () => {
    const { terminal, file } = await written({}, (log) => log.error('Failed.', { error: new Error('disk full') }));
    expect(terminal).toMatch(/ERROR - Failed\. error=disk full\n$/);
    expect(JSON.parse(file).error.stack).toContain('logger.test.ts');
  });

  it.each([
    ['a bearer token', { header: 'Authorization: Bearer abcdef0123456789' }, 'abcdef0123456789'],
    ['the value of a secret variable, in a message', { note: 'key is s3cr"et-value!' }, 'et-value!'],
    ['credentials in a URL', { url: 'https://user:hunter22@host/path' }, 'hunter22'],
    ['the signature of a presigned link', { url: 'http://s3/b?X-Amz-Signature=deadbeef00&x=1' }, 'deadbeef00'],
    ['a field with a secret name', { options: { api_key: 'plainvalue1' } }, 'plainvalue1'],
    ['a secret in the text of an error', { error: new Error('token=abc123xyz was refused') }, 'abc123xyz'],
  ])('never writes %s', async (_what, fields, secret) => {
    const env = { WANDB_API_KEY: 's3cr"et-value!', HOME: '/root' };
    for (const json of [false, true]) {
      const { terminal, file } = await written({ redactor: createRedactor(env), json }, (log) =>
        log.info(`line with /root ${JSON.stringify(fields)}`, fields),
      );
      expect(terminal + file).not.toContain(secret);
      expect(terminal).toContain('[redacted]');
      expect(terminal).toContain('/root');
    }
  });

  it('does not let a value forge a second line', async () => {
    const { terminal, file } = await written({}, (log) => log.info('a\n2026-01-01 00:00:00 - ERROR - forged'));
    expect(file.trim().split('\n')).toHaveLength(1);
    expect(terminal.trim().split('\n')).toHaveLength(1);
  });
});
