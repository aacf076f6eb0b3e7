import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { openCheckpoints, RUN } from '../../services/control-plane/checkpoints/checkpoint.fixtures.ts';
import { minioBinary, type S3Server, startMinio } from '../support/s3-servers.ts';
import { type Bench, round, table } from './support/bench.ts';
import { downloadAll, hashAll, openBenchStore, uploadAll } from './support/bench-store.ts';
import { startCountingProxy } from './support/counting-proxy.ts';
import { fastest, median, timed, timedInTurns } from './support/measure.ts';
import { minioClient, rawDownload, rawUpload } from './support/raw-transfers.ts';
import { measureStepTime } from './support/saving-step-time.ts';

const MIB = 2 ** 20;
const TURNS = { count: 2, warmup: 0 };
/** A sparse file: it costs no disk here. */
const SPARSE_MIB = 8192;
const uploaderMain = resolve(import.meta.dirname, 'support/uploader-main.js');

/**
 * A checkpoint's way to a real MinIO and back, hashed, planned, verified and joined, against the same parts sent and fetched by nothing but HTTP and
 * against MinIO's own client, in turns. Figures depend on the disk: all three use the same.
 */
export const runCheckpointBench: Bench = async (print, { full }) => {
  const baseline = 'the better of the same parts by plain PUT and GET without hashes, and the minio client';
  const latest = await timeLatest(print);
  if (minioBinary() === null) {
    const why = 'no MinIO server here: scripts/test.sh builds one with Go';
    const nothing = { upload_ratio: null, download_ratio: null, step_time_ratio: null, peak_rss_mib: null };
    return { bench: 'checkpoint', baseline, ...nothing, why, latest_ms: latest };
  }
  const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-checkpoint-'));
  const server = await startMinio();
  try {
    const large = await measureTransfers(server, directory, { count: 1, mib: 2048 }, print);
    const many = await measureTransfers(server, directory, { count: 200, mib: 10 }, print);
    const resent = await measureKill(server, directory);
    print(`killed half-way: ${round(resent)} MiB of 2048 MiB were sent twice`);
    const steps = await measureStepTime(server, directory);
    print(`a step takes ${round(steps.alone)} ms alone, ${round(steps.saving)} ms while ${steps.mib} MiB are saved`);
    const peak = full ? await measurePeak(server, directory) : null;
    return {
      bench: 'checkpoint',
      baseline,
      upload_ratio: round(Math.min(large.up, many.up)),
      download_ratio: round(Math.min(large.down, many.down)),
      step_time_ratio: round(steps.saving / steps.alone),
      peak_rss_mib: peak === null ? null : Math.round(peak),
      ...(peak === null && { why: { peak_rss_mib: 'an upload of 8 GiB is for --full' } }),
      one_of_2_gib: large,
      '200_of_10_mib': many,
      resent_mib: round(resent),
      latest_ms: latest,
    };
  } finally {
    await server.close();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
};

async function measureTransfers(
  server: S3Server,
  root: string,
  { count, mib }: { count: number; mib: number },
  print: (line: string) => void,
) {
  const directory = join(root, `files-${count}`);
  const names = Array.from({ length: count }, (_, i) => `file-${i}.bin`);
  mkdirSync(directory);
  for (const [i, name] of names.entries()) await writeNoise(join(directory, name), mib, i);
  const store = openBenchStore(server);
  const files = await hashAll(directory, names);
  const client = minioClient(server);
  const remove = async (prefix: string) => {
    for (const name of names) await store.delete(prefix + name);
  };
  const up = await timedInTurns(
    {
      ours: () => uploadAll(store, { directory, names, prefix: 'ours/' }),
      raw: () => rawUpload(store, directory, files, 'raw/'),
      minio: () => client.upload(directory, files, 'minio/'),
    },
    TURNS,
  );
  for (const prefix of ['raw/', 'minio/']) await remove(prefix);
  const into = (who: string) => {
    const folder = join(root, `down-${who}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    return folder;
  };
  const down = await timedInTurns(
    {
      ours: () => downloadAll(store, files, 'ours/', into('ours')),
      raw: () => rawDownload(store, files, 'ours/', into('raw')),
      minio: () => client.download(files, 'ours/', into('minio')),
    },
    TURNS,
  );
  await remove('ours/');
  for (const folder of ['down-ours', 'down-raw', 'down-minio', ...(count > 1 ? [`files-${count}`] : [])]) {
    rmSync(join(root, folder), { recursive: true, force: true });
  }
  const rate = (times: number[]) => round((count * mib) / (fastest(times) / 1000));
  const rows = (['ours', 'raw', 'minio'] as const).map((who) => [who, rate(up[who]), rate(down[who])]);
  print(table([[`${count} x ${mib} MiB`, 'up MiB/s', 'down MiB/s'], ...rows]));
  const ratio = (times: typeof up) => round(Math.min(fastest(times.raw), fastest(times.minio)) / fastest(times.ours));
  return { up: ratio(up), down: ratio(down) };
}

/** MiB that go over the line twice when the uploader of 2 GiB is killed half-way and started again. */
async function measureKill(server: S3Server, root: string): Promise<number> {
  const file = join(root, 'files-1', 'file-0.bin');
  const proxy = await startCountingProxy(server.endpoint);
  const given = { access: { ...server, endpoint: proxy.origin }, file, prefix: 'killed/' };
  try {
    const first = spawn(process.execPath, [uploaderMain, JSON.stringify(given)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(first.stdout!.setEncoding('utf8'), 'data')) as [string];
    while (proxy.sent() < 1024 * MIB) await new Promise((next) => setTimeout(next, 5));
    first.kill('SIGKILL');
    await once(first, 'exit');
    const again = { ...given, ...(JSON.parse(line) as { uploadId: string }) };
    await promisify(execFile)(process.execPath, [uploaderMain, JSON.stringify(again)]);
    return (proxy.sent() - 2048 * MIB) / MIB;
  } finally {
    await proxy.close();
  }
}

async function measurePeak(server: S3Server, root: string): Promise<number> {
  const file = join(root, 'sparse.bin');
  writeFileSync(file, '');
  truncateSync(file, SPARSE_MIB * MIB);
  const given = { access: server, file, prefix: 'sparse/' };
  const { stdout } = await promisify(execFile)(process.execPath, [uploaderMain, JSON.stringify(given)]);
  return (JSON.parse(stdout.trim().split('\n').at(-1)!) as { peakMib: number }).peakMib;
}

/** Milliseconds to find `latest` and what else could be started from, by the number of the run's checkpoints. */
async function timeLatest(print: (line: string) => void): Promise<Record<string, number>> {
  const fixture = openCheckpoints();
  const times: Record<string, number> = {};
  try {
    for (let saved = 0; saved < 1000; ) {
      await fixture.save(++saved);
      if (![10, 100, 1000].includes(saved)) continue;
      const calls = [];
      for (let i = 0; i < 20; i++) calls.push(await timed(() => fixture.checkpoints.candidates(RUN, 'latest')));
      times[saved] = round(median(calls));
    }
  } finally {
    fixture.close();
  }
  print(
    table([
      ['checkpoints', ...Object.keys(times)],
      ['ms to choose latest', ...Object.values(times)],
    ]),
  );
  return times;
}

async function writeNoise(path: string, mib: number, seed: number): Promise<void> {
  const block = Buffer.allocUnsafe(MIB);
  for (let at = 0; at < MIB; at += 4) block.writeUInt32LE((at * 2654435761 + seed * 40503) >>> 0, at);
  const handle = await open(path, 'w');
  for (let i = 0; i < mib; i++) {
    block.writeUInt32LE(i, 0);
    await handle.write(block);
  }
  await handle.close();
}
