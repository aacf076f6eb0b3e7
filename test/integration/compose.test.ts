import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { removeTree } from '../../services/platform/testing/remove-tree.ts';
import { composePrograms } from '../support/compose-programs.ts';
import { type DockerDaemon, missingDocker } from '../support/docker-daemon/docker-daemon.ts';
import { startDaemonWithImages } from '../support/docker-daemon/kept-images.ts';
import { minioBinary } from '../support/s3-servers.ts';
import { makeSmallRuns } from '../support/small-runs.ts';
import { buildImages } from '../support/tandem-in-docker.ts';

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
    daemon = await startDaemonWithImages((started) => buildImages(started, ['tandem', 'minio']));
    // As a clone is laid out, with outputs and data of its own.
    directory = mkdtempSync(join(tmpdir(), 'tandem-compose-'));
    symlinkSync(join(root, 'compose'), join(directory, 'compose'));
    copyFileSync(join(root, '.env.example'), join(directory, '.env'));
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
        TANDEM_MODELS: join(directory, 'more-models'),
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
  const post = (path: string, body: unknown, key: string) => {
    const headers = ['-H', `authorization: Bearer ${key}`, '-H', 'content-type: application/json'];
    const call = ['curl', '-sS', '-m', '30', ...headers, '-d', JSON.stringify(body), `http://127.0.0.1:8080${path}`];
    const [program, ...words] = [...daemon.enter, ...call];
    return JSON.parse(execFileSync(program as string, words, { encoding: 'utf8' })) as Run;
  };
  const until = async <T>(look: () => T | false, what: string): Promise<T> => {
    for (const deadline = Date.now() + 120_000; Date.now() < deadline; ) {
      const seen = look();
      if (seen !== false) return seen;
      await new Promise((settle) => setTimeout(settle, 250));
    }
    throw new Error(`not seen within two minutes: ${what}\n${run(programs[0] as string, ['logs', '--tail', '30'])}`);
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
      if (program === programs[0]) await expectRunBesideIt(key);
    } finally {
      run(program, ['down', '-v']);
    }
    // Copies of inputs outlive it, each with the container that has checked it.
    const left = daemon.docker('ps', '-a', '--format', '{{.Names}}').split('\n');
    expect(left.filter((name) => !name.includes('-input-')).join()).toBe('');
  });

  /** A run is a container beside those of compose, and its tree grows on the host while it trains. */
  async function expectRunBesideIt(key: string): Promise<void> {
    const small = await makeSmallRuns({ directory: join(directory, 'data') });
    const { id } = post('/runs', small.sft(), key);
    const seen = () => JSON.parse(get(`http://127.0.0.1:8080/runs/${id}`, key).body) as Run;
    const log = join(directory, 'outputs', id, 'logs/training.log');
    const size = () => (existsSync(log) ? statSync(log).size : 0);
    const before = await until(
      () => seen().status === 'running' && size() > 0 && size(),
      'a training.log of a live run',
    );
    await until(() => size() > before, 'a training.log that grows');
    await until(() => ['succeeded', 'failed'].includes(seen().status), 'the end of the run');
    expect(seen()).toMatchObject({ status: 'succeeded' });
    await until(() => existsSync(join(directory, 'outputs', id, 'final')), 'the final checkpoint on the host');
    const trainers = ['ps', '-aq', '--filter', 'label=dev.tandem.role'];
    await until(() => daemon.docker(...trainers).trim() === '', 'the end of its container');
  }
});
