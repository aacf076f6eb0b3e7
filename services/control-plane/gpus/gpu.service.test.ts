import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Logger } from '../../platform/logger.ts';
import { createTestBench } from '../testing.ts';
import { createGpuService } from './gpu.service.ts';
import { type GpuReading, type GpuSource, GpuSourceError, NOTHING_READ, noGpus } from './gpu-source.ts';
import { recorded, recordedSource } from './recorded.fixture.ts';

const never = new AbortController().signal;
const reading = await recordedSource('a10-4-pcie').read(never);

function serve(
  read: GpuSource['read'],
  { kind = 'nvidia' as GpuSource['kind'], closing = never, everyMs = 60_000 } = {},
) {
  const lines: string[] = [];
  const write = (message: string) => void lines.push(message);
  const log = { info: write, warn: write, error: write } as unknown as Logger;
  let time = Date.parse('2026-11-20T09:00:00Z');
  const now = () => (time += 1000);
  const source = { kind, read };
  return {
    lines,
    service: createGpuService({ source, everyMs, onRead: () => undefined, closing, now, steady: now, log }),
  };
}

/** Answers in turn; the last one again and again. */
function answering(...answers: (GpuReading | Error)[]): () => Promise<GpuReading> {
  let at = 0;
  return async () => {
    const answer = answers[Math.min(at++, answers.length - 1)] ?? NOTHING_READ;
    if (answer instanceof Error) throw answer;
    return answer;
  };
}

describe('the inventory', () => {
  it('waits for the first reading and then answers what was read last', async () => {
    const read = vi.fn(answering(reading, NOTHING_READ));
    const { service } = serve(read);
    const first = await service.inventory({ refresh: false });
    expect(first).toMatchObject({
      source: 'nvidia',
      read_at: expect.stringContaining('2026-11-20T09:00:0'),
      problems: [],
    });
    expect(first.gpus).toHaveLength(4);
    await service.inventory({ refresh: false });
    expect(read).toHaveBeenCalledTimes(1);
  });

  it('is read anew on request, once for all that ask meanwhile', async () => {
    const read = vi.fn(answering(reading));
    const { service } = serve(read);
    await service.inventory({ refresh: false });
    await Promise.all(Array.from({ length: 20 }, () => service.inventory({ refresh: true })));
    expect(read).toHaveBeenCalledTimes(2);
  });

  it('answers from what there is while a reading hangs', async () => {
    let readings = 0;
    const { service } = serve(async () => {
      readings += 1;
      return readings === 1 ? reading : new Promise(() => undefined);
    });
    await service.inventory({ refresh: false });
    void service.inventory({ refresh: true });
    expect((await service.inventory({ refresh: false })).gpus).toHaveLength(4);
  });

  it('keeps what it knows when it cannot be read, and says so once in the log', async () => {
    const { service, lines } = serve(
      answering(reading, new GpuSourceError('It hangs.'), new GpuSourceError('It hangs.'), reading),
    );
    const first = await service.inventory({ refresh: true });
    await service.inventory({ refresh: true });
    const failed = await service.inventory({ refresh: true });
    expect(failed).toEqual({ ...first, problems: ['It hangs.'] });
    expect(await service.inventory({ refresh: true })).toMatchObject({ problems: [] });
    expect(lines).toEqual(['GPUs: It hangs.', 'The GPUs can be read again.']);
  });

  it('says that nothing could be read yet', async () => {
    const { service } = serve(answering(new GpuSourceError('It hangs.')));
    expect(await service.inventory({ refresh: false })).toMatchObject({
      read_at: null,
      gpus: [],
      problems: ['It hangs.'],
    });
  });

  it('keeps a GPU that vanished as unusable, until it is back', async () => {
    const without: GpuReading = { ...reading, gpus: reading.gpus.filter(({ index }) => index !== 2) };
    const { service, lines } = serve(answering(reading, without, without, reading));
    await service.inventory({ refresh: true });
    await service.inventory({ refresh: true });
    const { gpus } = await service.inventory({ refresh: true });
    expect(gpus.map(({ index, health }) => [index, health.verdict])).toEqual([
      [0, 'healthy'],
      [1, 'healthy'],
      [2, 'unusable'],
      [3, 'healthy'],
    ]);
    expect((await service.inventory({ refresh: true })).gpus[2]?.health.verdict).toBe('healthy');
    expect(lines).toEqual([
      expect.stringMatching(/^GPU 2 \(GPU-.*\) is unusable: nvidia-smi no longer lists it\. Reboot the host/),
      expect.stringMatching(/^GPU 2 \(GPU-.*\) is healthy again\.$/),
    ]);
  });

  it('marks the GPU that an old nvidia-smi stops at', async () => {
    const { service } = serve(
      answering(reading, new GpuSourceError('Lost.', { lost: [{ pciBusId: '0000:b1:00', why: 'GPU is lost' }] })),
    );
    await service.inventory({ refresh: true });
    const { gpus, problems } = await service.inventory({ refresh: true });
    expect(gpus.map(({ health }) => health.verdict)).toEqual(['healthy', 'healthy', 'unusable', 'healthy']);
    expect(problems).toEqual(['Lost.']);
  });

  it('is read beside everything else where something hangs on it, not more often than it is worth', async () => {
    let time = 0;
    const read = vi.fn(answering(reading, new GpuSourceError('It hangs.'), reading));
    const onRead = vi.fn();
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined } as unknown as Logger;
    const service = createGpuService({
      ...{
        source: { kind: 'nvidia', read },
        everyMs: 60_000,
        onRead,
        closing: never,
        now: Date.now,
        steady: () => time,
        log,
      },
    });
    const readAt = async (at: number) => {
      time = at;
      service.readSoon();
      service.readSoon();
      await new Promise((resolve) => setImmediate(resolve));
      return read.mock.calls.length;
    };
    expect(service.newest()).toBeNull();
    expect(await readAt(0)).toBe(1);
    expect(service.newest()).toMatchObject({ begunAt: 0, endedAt: 0, gpus: { length: 4 } });
    expect(await readAt(999)).toBe(1);
    expect(await readAt(1000)).toBe(2);
    expect(service.failure()).toBe('It hangs.');
    expect(service.newest()).toMatchObject({ begunAt: 0, gpus: { length: 4 } });
    expect(await readAt(5999)).toBe(2);
    expect(await readAt(6000)).toBe(3);
    expect(service.failure()).toBeNull();
    expect(onRead).toHaveBeenCalledTimes(3);
  });

  it('of a file forgets what the file no longer has', async () => {
    const { service } = serve(answering(reading, NOTHING_READ), { kind: 'file' });
    await service.inventory({ refresh: true });
    expect((await service.inventory({ refresh: true })).gpus).toEqual([]);
  });

  it('is read at intervals until the control plane ends', async () => {
    const closing = new AbortController();
    const read = vi.fn(answering(reading));
    const watching = serve(read, { closing: closing.signal, everyMs: 1 }).service.watch();
    await expect.poll(() => read.mock.calls.length).toBeGreaterThan(2);
    closing.abort();
    await watching;
  });
});

describe('GET /gpus', () => {
  it.each([
    ['none', noGpus, { source: 'none', gpus: [], links: [], used_by_runs: false }],
    [
      'nvidia',
      recordedSource('h100-5-broken', {}, recorded('h100-5-broken', 'kmsg.txt')),
      { source: 'nvidia', driver_version: '570.124.06' },
    ],
  ])('answers by its contract: %s', async (_name, gpuSource, expected) => {
    const bench = await createTestBench();
    onTestFinished(() => bench.remove());
    const { publicApp } = await bench.open({ gpuSource });
    const server = publicApp.listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const get = (query: string) => fetch(`http://127.0.0.1:${port}/gpus${query}`);
    for (const query of ['', '?refresh=true']) {
      const answer = await get(query);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject(expected);
    }
    expect((await get('?refresh=soon')).status).toBe(400);
  });
});
