import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '../../services/contracts/checkpoint.ts';
import type { Run } from '../../services/contracts/run.ts';
import type { ObjectStore } from '../../services/platform/object-store.ts';
import { openS3Store } from '../../services/platform/s3/s3-store.ts';
import { minioBinary, type S3Server, startMinio } from '../support/s3-servers.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { atRest, ended, startTandem, type Tandem } from '../support/tandem.ts';

const rebuildFile = resolve(import.meta.dirname, '../../dist/scripts/rebuild.js');

// A control plane with its checkpoints in a real MinIO, driven as a user does.
describe.skipIf(minioBinary() === null)('runs whose checkpoints lie in MinIO', () => {
  let server: S3Server;
  let tandem: Tandem;
  let small: SmallRuns;
  let environment: Record<string, string>;
  let bucket: ObjectStore;

  beforeAll(async () => {
    server = await startMinio();
    const { endpoint, accessKey, secretKey, region } = server;
    environment = {
      TANDEM_S3_ENDPOINT: endpoint,
      TANDEM_S3_BUCKET: server.bucket,
      TANDEM_S3_ACCESS_KEY: accessKey,
      TANDEM_S3_SECRET_KEY: secretKey,
      TANDEM_S3_REGION: region,
    };
    tandem = await startTandem(environment);
    bucket = openS3Store({
      endpoint,
      accessKey,
      secretKey,
      region,
      bucket: server.bucket,
      publicUrl: null,
      conditionalWrites: true,
    });
    small = await makeSmallRuns(tandem);
  });
  afterAll(async () => {
    await tandem?.dispose();
    await server?.close();
  });

  const keys = async (prefix = 'runs/') => {
    const found: string[] = [];
    for await (const { key } of bucket.list(prefix)) found.push(key);
    return found;
  };
  /** Every object below a checkpoint's prefix is named by a manifest, and no multipart upload is left. */
  const nothingLoose = async () => {
    const all = await keys();
    const committed = new Set(
      all.filter((key) => key.endsWith('/manifest.json')).map((key) => key.slice(0, -'manifest.json'.length)),
    );
    const loose = all.filter((key) => {
      const prefix = /^runs\/[^/]+\/checkpoints\/a\d+\/checkpoint-\d+\//.exec(key)?.[0];
      return prefix !== undefined && !committed.has(prefix);
    });
    expect(loose).toEqual([]);
  };
  /** The tree follows the records, and its files come from the store. */
  const untilTreeIsWhole = async (run: Run) => {
    for (const directory of ['best_model', 'final']) {
      const manifest = join(tandem.tree(run), directory, 'manifest.json');
      await expect.poll(() => existsSync(manifest), { timeout: 60_000 }).toBe(true);
    }
  };
  const manifestsOf = async (run: string) =>
    (await keys(`runs/${run}/checkpoints/`)).filter((key) => key.endsWith('/manifest.json')).sort();

  test('train to the end, with the same trees and checkpoints as on files, and nothing beside them', async () => {
    const { id } = await tandem.post<Run>('/runs', small.sft({ max_steps: 20 }));
    const run = await tandem.untilSucceeded(id);
    await untilTreeIsWhole(run);
    const tree = (path: string) => readdirSync(join(tandem.tree(run), path)).sort();
    expect(tree('checkpoints')).toEqual(['checkpoint-14', 'checkpoint-7']);
    for (const directory of ['checkpoints/checkpoint-14', 'best_model', 'final']) {
      const manifest = JSON.parse(readFileSync(join(tandem.tree(run), directory, 'manifest.json'), 'utf8')) as Manifest;
      for (const { path, size } of manifest.files) {
        expect(readFileSync(join(tandem.tree(run), directory, path))).toHaveLength(size);
      }
    }
    const names = (await tandem.checkpoints(id)).map(({ attempt, step }) => `a${attempt}/checkpoint-${step}`);
    expect((await manifestsOf(id)).map((key) => key.split('/').slice(3, 5).join('/'))).toEqual(names.sort());
    expect(names).toEqual(expect.arrayContaining(['a1/checkpoint-7', 'a1/checkpoint-14', 'a1/checkpoint-20']));
    await nothingLoose();
    expect(readdirSync(tandem.home)).not.toContain('objects');
  });

  test('are paused, resumed, forked and deleted, with the control plane killed in between', async () => {
    const { id } = await tandem.post<Run>('/runs', small.sft({ max_steps: 40 }));
    await tandem.until(id, (run) => run.status === 'running' && (run.progress?.step ?? 0) >= 8);
    await tandem.post(`/runs/${id}/pause`);
    const paused = await tandem.until(id, ended);
    expect(paused).toMatchObject({ status: 'paused' });
    const [latest] = await tandem.checkpoints(id);

    await tandem.post(`/runs/${id}/resume`, { from: 'latest' });
    await tandem.until(id, (run) => run.attempts.length === 2 && run.status === 'running');
    await tandem.kill();
    await tandem.start();
    const done = await tandem.untilSucceeded(id);
    expect(done.attempts[1]?.resumed_from).toBe(`${id}/a1/checkpoint-${latest?.step}`);
    expect((await tandem.checkpoints(id))[0]).toMatchObject({
      attempt: 2,
      parent: `${id}/a1/checkpoint-${latest?.step}`,
    });

    const fork = await tandem.post<Run>(`/runs/${id}/resume`, {
      from: 'final',
      fork: true,
      overrides: { training: { max_steps: 44 } },
    });
    expect(await tandem.untilSucceeded(fork.id)).toMatchObject({ parent: `${id}/checkpoint-40` });
    const model = { name: `runs/${id}/best`, use_lora: false, max_seq_length: 64 };
    const trained = await tandem.post<Run>('/runs', { ...small.sft({ max_steps: 2 }), model });
    await tandem.untilSucceeded(trained.id);

    for (const each of [trained.id, fork.id, id]) {
      await tandem.until(each, (run) =>
        run.attempts.flatMap(({ roles }) => roles).every(({ state }) => state !== 'ready'),
      );
      const response = await fetch(`${tandem.url}/runs/${each}`, { method: 'DELETE' });
      expect(response.status, await response.text()).toBe(204);
      expect(await keys(`runs/${each}/`)).toEqual([]);
    }
    await nothingLoose();
  });

  test('outlive a store that is away for a while: the API says so and the run goes on', async () => {
    const { id } = await tandem.post<Run>('/runs', small.sft({ max_steps: 60 }));
    await tandem.until(id, (run) => run.status === 'running' && (run.progress?.step ?? 0) >= 8);
    const saved = async () => (await tandem.checkpoints(id))[0]?.name;
    while ((await saved()) === undefined) await sleep(25);
    const file = `/runs/${id}/checkpoints/${await saved()}/files/training_state.json`;
    await server.kill();
    const response = await fetch(tandem.url + file);
    const said = await response.text();
    expect(response.status, said).toBe(503);
    expect(said).toMatch(/the object store at http:\/\/127\.0\.0\.1:\d+/);
    expect((await fetch(`${tandem.url}/readyz`)).status).toBe(200);
    expect((await tandem.run(id)).status).toMatch(/running|stopping/);
    await server.start();
    const run = await tandem.untilSucceeded(id, 240);
    expect(run.attempts).toHaveLength(1);
    await untilTreeIsWhole(run);
    await nothingLoose();
  });

  test('are all there after the database was lost', async () => {
    const { id } = await tandem.post<Run>('/runs', small.sft({ max_steps: 10 }));
    await tandem.untilSucceeded(id);
    await tandem.until(id, atRest);
    const before = await tandem.checkpoints(id);
    await tandem.kill();
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(tandem.home, `tandem.db${suffix}`), { force: true });
    const { stdout } = await promisify(execFile)(process.execPath, [rebuildFile], {
      cwd: tandem.directory,
      env: { PATH: process.env['PATH'], TANDEM_HOME: tandem.home, TANDEM_OUTPUTS: tandem.outputs, ...environment },
    });
    expect(stdout).not.toContain('not restored');
    expect(stdout).not.toContain(server.secretKey);
    await tandem.start();
    expect(await tandem.checkpoints(id)).toEqual(before);
    expect((await tandem.run(id)).status).toBe('succeeded');
    const logs = readdirSync(join(tandem.home, 'logs')).map((name) =>
      readFileSync(join(tandem.home, 'logs', name), 'utf8'),
    );
    expect([tandem.serverLog(), ...logs].join('')).not.toContain(server.secretKey);
  });
});
