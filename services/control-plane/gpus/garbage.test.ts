import { describe, expect, it } from 'vitest';
import { gpuInventorySchema } from '../../contracts/gpu.ts';
import { readGpuFile } from './file-source.ts';
import { type GpuReading, GpuSourceError } from './gpu-source.ts';
import { readKernelLog } from './read-kernel-log.ts';
import { HOSTS, recorded, recordedSource } from './recorded.fixture.ts';

const TRIES = 150;
const FILE = `gpus:
  - {uuid: GPU-a, memory_mib: 81559, numa_node: 0, compute_capability: "9.0"}
  - {uuid: GPU-b, memory_mib: 81559, numa_node: 1}
links:
  - {gpus: [0, 1], kind: NV18}
`;

/** Numbers from 0 to 1 that are the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What may become of an output: cut off, cut out, repeated, with other bytes in it, or another program's altogether. */
function spoil(text: string, random: () => number): string {
  const at = () => Math.floor(random() * text.length);
  const [from, to] = [at(), at()].sort((a, b) => a - b) as [number, number];
  const noise = () => String.fromCodePoint(1 + Math.floor(random() * (random() < 0.5 ? 127 : 0xd7fe)));
  const ways = [
    () => text.slice(0, from),
    () => text.slice(from),
    () => text.slice(0, from) + text.slice(to),
    () => text.slice(0, to) + text.slice(from),
    () => text.slice(0, from) + noise().repeat(1 + Math.floor(random() * 40)) + text.slice(from),
    () => [...text].map((c) => (random() < 0.002 ? noise() : c)).join(''),
    () => text.replaceAll(/\d+/g, (digits) => (random() < 0.05 ? `${'9'.repeat(Math.floor(random() * 30))}` : digits)),
    () => Array.from({ length: from % 2000 }, noise).join(''),
  ];
  return ways[Math.floor(random() * ways.length)]?.() ?? '';
}

function requireSound(reading: GpuReading): void {
  const gpus = reading.gpus.map((gpu) => ({ ...gpu, lease: null, usable: true }));
  const inventory = { source: 'nvidia', used_by_runs: false, read_at: null, ...reading, gpus };
  expect(gpuInventorySchema.safeParse(inventory).error?.issues).toBeUndefined();
  expect(new Set(reading.gpus.map(({ uuid }) => uuid)).size).toBe(reading.gpus.length);
}

describe('whatever nvidia-smi prints', () => {
  it.each(HOSTS)('an answer of %s that was spoilt is read, or refused in words', async (host) => {
    let refused = 0;
    for (let seed = 1; seed <= TRIES; seed += 1) {
      const random = randomFrom(seed);
      const files = {
        '-q': 'smi.xml',
        topo: 'topo.txt',
        '--query-gpu': 'index.csv',
        '-L': host === 'a100-2-mig' ? 'list.txt' : 'index.csv',
      };
      const change = Object.fromEntries(
        Object.entries(files).map(([call, file]) => [
          call,
          random() < 0.7 ? spoil(recorded(host, file), random) : recorded(host, file),
        ]),
      );
      try {
        requireSound(await recordedSource(host, change).read(new AbortController().signal));
      } catch (error) {
        if (!(error instanceof GpuSourceError)) throw new Error(`seed ${seed}: ${error}`, { cause: error });
        expect(error.message).toMatch(/^(nvidia-smi|The GPU at) .*[.;]/);
        expect(error.message).not.toMatch(/\p{Cc}/u);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(TRIES / 4);
    expect(refused).toBeLessThan(TRIES);
  });

  it('a truncated document is never taken for a whole one', async () => {
    const text = recorded('a10-4-pcie', 'smi.xml');
    for (let end = 0; end < text.trimEnd().length; end += 37) {
      await expect(
        recordedSource('a10-4-pcie', { '-q': text.slice(0, end) }).read(new AbortController().signal),
      ).rejects.toThrow(GpuSourceError);
    }
  });

  it('a spoilt kernel log gives errors of GPUs or none', () => {
    for (let seed = 1; seed <= TRIES; seed += 1) {
      for (const [address, xids] of readKernelLog(spoil(recorded('h100-5-broken', 'kmsg.txt'), randomFrom(seed)))) {
        expect(address).toMatch(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}$/);
        expect(xids.every(({ code, times }) => Number.isInteger(code) && times > 0)).toBe(true);
      }
    }
  });
});

describe('whatever stands in a file of GPUs', () => {
  it('is read, or refused with the name of the file', () => {
    for (let seed = 1; seed <= TRIES; seed += 1) {
      try {
        requireSound(readGpuFile(spoil(FILE, randomFrom(seed)), '/etc/gpus.yaml'));
      } catch (error) {
        if (!(error instanceof GpuSourceError)) throw new Error(`seed ${seed}: ${error}`, { cause: error });
        expect(error.message).toMatch(/^\/etc\/gpus\.yaml/);
      }
    }
  });
});
