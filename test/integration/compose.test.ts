import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { removeTree } from '../../services/platform/testing/remove-tree.ts';
import { composePrograms } from '../support/compose-programs.ts';
import { type DockerDaemon, missingDocker, startDockerDaemon } from '../support/docker-daemon/docker-daemon.ts';
import { minioBinary } from '../support/s3-servers.ts';

const root = resolve(import.meta.dirname, '../..');
const programs = composePrograms();
const missing =
  missingDocker() ??
  (minioBinary() === null ? 'no MinIO binary; scripts/test.sh builds it with Go' : null) ??
  (programs.length === 0 ? 'no compose program; scripts/test.sh gets two' : null);
const KEY_FILE = '/var/lib/tandem/secrets/api-key';

describe.skipIf(missing !== null)(`cp .env.example .env and compose up ${missing ?? ''}`, () => {
  let daemon: DockerDaemon;
  let directory: string;

  beforeAll(async () => {
    daemon = await startDockerDaemon();
    // As a clone is laid out, with outputs and data of its own.
    directory = mkdtempSync(join(tmpdir(), 'tandem-compose-'));
    symlinkSync(join(root, 'compose'), join(directory, 'compose'));
    copyFileSync(join(root, '.env.example'), join(directory, '.env'));
    const base = daemon.importBaseImage();
    execFileSync(join(root, 'scripts/build-image.sh'), ['--base', base, 'tandem', 'minio'], {
      env: { ...process.env, DOCKER_HOST: daemon.host },
      stdio: 'pipe',
    });
  }, 600_000);
  afterAll(async () => {
    await daemon?.close();
    if (directory !== undefined) await removeTree(directory);
  });

  const run = (program: string, args: string[]) =>
    execFileSync(program, args, {
      cwd: directory,
      encoding: 'utf8',
      timeout: 120_000,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: directory,
        PWD: directory,
        DOCKER_HOST: daemon.host,
        DOCKER_SOCKET: daemon.socketPath,
        TANDEM_MODELS: join(directory, 'models'),
      },
    });
  /** curl, where the published ports are. */
  const get = (url: string, key?: string) => {
    const headers = key === undefined ? [] : ['-H', `authorization: Bearer ${key}`];
    const [program, ...words] = [...daemon.enter, 'curl', '-sS', '-m', '10', '-w', '\n%{http_code}', ...headers, url];
    const [code = '', ...lines] = execFileSync(program as string, words, { encoding: 'utf8' })
      .split('\n')
      .reverse();
    return { status: Number(code), body: lines.reverse().join('\n') };
  };
  const until = async <T>(look: () => T | false, what: string): Promise<T> => {
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
      const seen = look();
      if (seen !== false) return seen;
      await new Promise((settle) => setTimeout(settle, 250));
    }
    throw new Error(`not seen within a minute: ${what}\n${run(programs[0] as string, ['logs', '--tail', '30'])}`);
  };

  test.each(
    programs,
  )('%s starts control plane and MinIO in order, healthy, each on a secret of its own', async (program) => {
    try {
      run(program, ['up', '-d']);
      const healthOf = (service: string) =>
        daemon.docker('ps', '--filter', `label=com.docker.compose.service=${service}`, '--format', '{{.Status}}');
      await until(() => healthOf('control-plane').includes('(healthy)'), 'a healthy control plane');
      expect(healthOf('minio')).toContain('(healthy)');

      expect(get('http://127.0.0.1:8080/readyz')).toMatchObject({ status: 200 });
      expect(get('http://127.0.0.1:8080/runs').status).toBe(401);
      const key = run(program, ['exec', '-T', 'control-plane', 'cat', KEY_FILE]).trim();
      expect(get('http://127.0.0.1:8080/runs', key)).toEqual({ status: 200, body: '{"runs":[],"next":null}' });
      expect(get('http://127.0.0.1:9000/tandem').status).toBe(403);
      expect(run(program, ['exec', '-T', 'minio', 'ls', '/data'])).toContain('tandem');
      expect(JSON.parse(get('http://127.0.0.1:8080/preflight', key).body)).toMatchObject({
        ready: true,
        runtime: 'docker',
        checks: expect.arrayContaining([
          expect.objectContaining({ name: 'docker', verdict: 'ok' }),
          expect.objectContaining({ name: 'compose', verdict: 'ok' }),
        ]),
      });

      const inspected = daemon.docker('inspect', ...daemon.docker('ps', '-q').trim().split('\n'));
      expect(inspected).not.toContain(key);
      expect(inspected.match(/"Source": ".*docker\.sock"/g)).toHaveLength(1);
      expect(existsSync(join(directory, 'outputs'))).toBe(true);
    } finally {
      run(program, ['down', '-v']);
    }
    expect(daemon.docker('ps', '-aq').trim()).toBe('');
  });
});
