import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Docker from 'dockerode';
import { createDockerEngine } from '../../services/control-plane/runtimes/docker/engine/create-docker-engine.ts';
import { demultiplex } from '../../services/control-plane/runtimes/docker/engine/demultiplex.ts';
import { createOutputCollector } from '../../services/control-plane/runtimes/docker/engine/output-collector.ts';
import { type Bench, round, table } from './support/bench.ts';
import { median, timed, timedInTurns } from './support/measure.ts';

const LINE = 40;
const CHUNK = 64 * 1024;
const DEMUX_LINES = 40_000;
const [FOLLOWERS, LINES, CUT] = [1000, 500, 200];
const ROUND_MS = 100;
const serverMain = resolve(import.meta.dirname, 'support/log-server-main.js');

/**
 * Docker's frames taken apart, against docker-modem's `demuxStream`: each hands every frame with its stream to the same function, which counts. Then a thousand
 * logs followed over one unix socket into files, each connection broken off once in a frame and taken up again; every line is looked for afterwards.
 */
export const runLogsBench: Bench = async (print, { full }) => {
  const demux = await compareDemux(full ? 31 : 7);
  print(
    table([
      ['lines of 40 bytes', 'MiB/s', 'ratio'],
      ['docker-modem demuxStream', demux.modemMibPerS, 1],
      ['demultiplex', demux.mibPerS, demux.ratio],
    ]),
  );
  const lines = full ? LINES * 4 : LINES;
  const followed = await followMany(lines);
  print(
    `${FOLLOWERS} followers of ${lines} lines each: ${followed.seconds.toFixed(1)} s, ${followed.lost} lines lost or doubled`,
  );
  return {
    bench: 'logs',
    baseline: "docker-modem's demuxStream on the same chunks, to the same function",
    demux_ratio: round(demux.ratio),
    demux_mib_per_s: round(demux.mibPerS),
    followers: FOLLOWERS,
    lines_lost: followed.lost,
    lines_per_s: round((FOLLOWERS * lines) / followed.seconds),
  };
};

async function compareDemux(count: number) {
  const chunks = framedChunks();
  const seen = { frames: 0, bytes: 0, errors: 0 };
  const take = (stream: 'stdout' | 'stderr', payload: Buffer) => {
    seen.frames += 1;
    seen.bytes += payload.length;
    if (stream === 'stderr') seen.errors += 1;
  };
  const { modem } = new Docker({ socketPath: '/nowhere' }) as {
    modem: { demuxStream(source: EventEmitter, stdout: object, stderr: object): void };
  };
  const checked = (work: () => unknown) => async () => {
    Object.assign(seen, { frames: 0, bytes: 0, errors: 0 });
    await work();
    const { frames, bytes, errors } = seen;
    if (frames !== DEMUX_LINES || bytes !== DEMUX_LINES * LINE || errors !== DEMUX_LINES / 8) {
      throw new Error(`of ${DEMUX_LINES} frames came ${frames}, ${bytes} bytes`);
    }
  };
  const times = await timedInTurns(
    {
      modem: checked(() => {
        const source = new EventEmitter();
        const sink = (stream: 'stdout' | 'stderr') => ({ write: (payload: Buffer) => take(stream, payload) });
        modem.demuxStream(source, sink('stdout'), sink('stderr'));
        for (const chunk of chunks) source.emit('data', chunk);
      }),
      ours: checked(async () => {
        for await (const frames of demultiplex(oneByOne(chunks))) {
          for (const { stream, payload } of frames) take(stream, payload);
        }
      }),
    },
    { count, warmup: 2 },
  );
  const mibPerS = (ms: number) => ((DEMUX_LINES * LINE) / 2 ** 20 / ms) * 1000;
  const [modemMs, ms] = [median(times.modem), median(times.ours)];
  return { modemMibPerS: mibPerS(modemMs), mibPerS: mibPerS(ms), ratio: modemMs / ms };
}

function framedChunks(): Buffer[] {
  const frames = Array.from({ length: DEMUX_LINES }, (_, line) => {
    const frame = Buffer.alloc(8 + LINE);
    frame[0] = line % 8 === 0 ? 2 : 1;
    frame.writeUInt32BE(LINE, 4);
    frame.write(`${String(line).padStart(LINE - 1)}\n`, 8);
    return frame;
  });
  const all = Buffer.concat(frames);
  return Array.from({ length: Math.ceil(all.length / CHUNK) }, (_, chunk) =>
    all.subarray(chunk * CHUNK, (chunk + 1) * CHUNK),
  );
}

async function* oneByOne(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

async function followMany(lines: number): Promise<{ seconds: number; lost: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-logs-'));
  const socketPath = join(directory, 'docker.sock');
  const args = [serverMain, socketPath, String(lines), String(CUT)];
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(server.stdout, 'data');
    const { followLogs } = createDockerEngine({ socketPath });
    const containers = Array.from({ length: FOLLOWERS }, (_, number) => `c${number}`);
    const pathOf = (container: string) => join(directory, 'kept', `${container}.log`);
    let broken = 0;
    const collector = createOutputCollector({
      followLogs,
      tell: () => {
        broken += 1;
      },
    });
    const ms = await timed(async () => {
      for (const container of containers) collector.follow(container, pathOf(container));
      while (broken < FOLLOWERS) await delay(ROUND_MS);
      await Promise.all(containers.map((container) => collector.finish(container, pathOf(container))));
    });
    await collector.close();
    const wanted = Array.from({ length: lines }, (_, line) => `${String(line).padStart(LINE - 1, '.')}\n`);
    let lost = 0;
    for (const container of containers) lost += difference(await readFile(pathOf(container), 'latin1'), wanted);
    return { seconds: ms / 1000, lost };
  } finally {
    server.kill();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Lines that are not where they belong. */
function difference(text: string, wanted: readonly string[]): number {
  const got = text.split(/(?<=\n)/);
  return wanted.filter((line, at) => got[at] !== line).length + Math.max(0, got.length - wanted.length);
}
