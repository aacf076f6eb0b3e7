import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Checkpoint, Manifest } from '../../services/contracts/checkpoint.ts';
import type { Run } from '../../services/contracts/run.ts';
import { expectNothingLeaked } from '../support/bucket.ts';
import { makeSmallRuns } from '../support/small-runs.ts';
import { startTandem, type Tandem } from '../support/tandem.ts';
import { noMinio, s3Settings, startTandemOnS3, type TandemOnS3 } from '../support/tandem-on-s3.ts';
import { commandTypist, shell } from '../support/typed-commands.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe.skipIf(noMinio)(`checkpoints in an object store (${noMinio ?? 'MinIO'})`, () => {
  let s3: TandemOnS3;
  let id: string;
  let directory: string;
  let type: ReturnType<typeof commandTypist>;

  beforeAll(async () => {
    // People reach the store itself; the control plane goes through the proxy, which sees what it asks for.
    s3 = await startTandemOnS3({ env: ({ endpoint }) => ({ TANDEM_S3_PUBLIC_URL: endpoint }) });
    const small = await makeSmallRuns(s3.tandem);
    const spec = small.sft({ max_steps: 40, save_steps: 10, eval_steps: 0, save_total_limit: 4 });
    ({ id } = await s3.tandem.post<Run>('/runs', spec));
    await s3.tandem.untilSucceeded(id);
    directory = mkdtempSync(join(tmpdir(), 'tandem-browse-'));
    type = commandTypist({ url: s3.tandem.url, run: id, directory });
  });
  afterAll(async () => {
    await s3?.dispose();
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  });

  const key = (step: number) => `runs/${id}/checkpoints/a1/checkpoint-${step}/`;
  const steps = async () => (await s3.tandem.checkpoints(id)).map(({ step }) => step);
  const fileOf = async (path: string) => {
    const { files } = JSON.parse(await type('curl -s "$URL/latest"')) as Manifest;
    return files.find((file) => file.path === path)!;
  };

  test('are listed, and their files fetched whole and in part', async () => {
    const { checkpoints } = JSON.parse(await type('curl -s "$URL"')) as { checkpoints: Checkpoint[] };
    expect(checkpoints.map(({ step }) => step)).toEqual([40, 30, 20, 10]);
    await type('curl -fsSO');
    const bytes = readFileSync(join(directory, 'training_state.json'));
    expect(await fileOf('training_state.json')).toMatchObject({ size: bytes.length, sha256: sha256(bytes) });
    expect(await type('-r 0-63')).toBe(bytes.toString('utf8', 0, 64));
  });

  test('unpack from an archive to the bytes that the store holds', async () => {
    await type('/archive');
    const folder = join(directory, `${id}-checkpoint-40`);
    const { files } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest;
    expect(files.length).toBeGreaterThan(5);
    for (const { path, sha256: expected } of files) {
      const bytes = readFileSync(join(folder, path));
      expect(sha256(bytes), path).toBe(expected);
      expect(bytes.equals(await s3.bucket.read(key(40) + path)), path).toBe(true);
    }
  });

  test('give a file by a link to the store, which the control plane does not read', async () => {
    const before = s3.proxy.passages.length;
    const expected = await fileOf('optimizer.pt');
    await type('curl -fsSL');
    expect(sha256(readFileSync(join(directory, 'optimizer.pt')))).toBe(expected.sha256);
    const { told, bytes } = await follow(s3.tandem, '-r 100-163');
    expect(told).toMatch(new RegExp(`^1 206 ${s3.server.endpoint}/${s3.server.bucket}/${key(40)}optimizer\\.pt\\?`));
    expect(bytes.equals(readFileSync(join(directory, 'optimizer.pt')).subarray(100, 164))).toBe(true);
    const asked = s3.proxy.passages.slice(before).filter(({ operation }) => operation === 'GetObject');
    expect(asked.filter((each) => each.key.endsWith('optimizer.pt'))).toEqual([]);
  });

  test('are pinned and deleted in the bucket as well', async () => {
    await type('-X POST "$URL/checkpoint-10/pin"');
    expect([...(await s3.bucket.objects(key(10))).keys()]).toContain(`${key(10)}pinned.json`);
    await type('-X DELETE "$URL/checkpoint-20"');
    expect(await steps()).toEqual([40, 30, 10]);
    expect([...(await s3.bucket.objects(key(20))).keys()]).toEqual([]);
    const refused = await fetch(`${s3.tandem.url}/runs/${id}/checkpoints/checkpoint-10`, { method: 'DELETE' });
    expect([refused.status, await refused.text()]).toEqual([409, expect.stringContaining('is pinned; unpin it first')]);

    await s3.tandem.kill();
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(s3.tandem.home, `tandem.db${suffix}`), { force: true });
    const env = { ...process.env, ...s3Settings(s3.server), TANDEM_HOME: s3.tandem.home };
    execFileSync('./scripts/rebuild.sh', [], { env, stdio: 'pipe' });
    await s3.tandem.start();
    const pinned = (await s3.tandem.checkpoints(id)).filter(({ pinned: isPinned }) => isPinned);
    expect([await steps(), pinned.map(({ step }) => step)]).toEqual([[40, 30, 10], [10]]);
    await type('-X DELETE "$URL/checkpoint-10/pin"');
    expect([...(await s3.bucket.objects(key(10))).keys()]).not.toContain(`${key(10)}pinned.json`);
    await expectNothingLeaked(s3.bucket);
  });

  test('come through the control plane where nobody was told how people reach the store', async () => {
    await s3.tandem.kill();
    const { home, outputs } = s3.tandem;
    const other = await startTandem({ ...s3Settings(s3.server), TANDEM_HOME: home, TANDEM_OUTPUTS: outputs });
    try {
      const { told, bytes } = await follow(other, '');
      expect(told).toMatch(new RegExp(`^0 200 ${other.url}/`));
      expect(sha256(bytes)).toBe(sha256(await s3.bucket.read(`${key(40)}optimizer.pt`)));
    } finally {
      await other.dispose();
    }
    await s3.tandem.start();
  });

  /** Follows `?redirect=true` as curl does; tells the number of redirects, the status and the address where they ended. */
  async function follow({ url }: Tandem, more: string): Promise<{ told: string; bytes: Buffer }> {
    const file = join(directory, 'followed');
    rmSync(file, { force: true });
    const address = `${url}/runs/${id}/checkpoints/latest/files/optimizer.pt?redirect=true`;
    const written = '%{num_redirects} %{http_code} %{url_effective}';
    const told = await shell(`curl -fsSL ${more} -o followed -w '${written}' '${address}'`, { directory });
    return { told, bytes: readFileSync(file) };
  }
});
