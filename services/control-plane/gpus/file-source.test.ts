import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chooseGpuSource } from './choose-source.ts';
import { readGpuFile } from './file-source.ts';

const read = (text: string) => readGpuFile(text, '/etc/gpus.yaml');
const four = `gpus:
  - {uuid: GPU-0, memory_mib: 81559, numa_node: 0, name: NVIDIA H100 80GB HBM3, compute_capability: "9.0"}
  - {uuid: GPU-1, memory_mib: 81559, numa_node: 0, foreign_processes: [{pid: 7, memory_mib: 500}]}
  - {uuid: GPU-2, memory_mib: 81559, numa_node: 1, health: {verdict: unusable, why: Broken on purpose.}}
  - {uuid: GPU-3, memory_mib: 81559, numa_node: 1}
links:
  - {gpus: [0, 1, 2], kind: NV4}
  - {gpus: [0, 2], kind: PHB}
`;

describe('a file of GPUs', () => {
  it('says what they are, how they are and what is on them', () => {
    const { gpus } = read(four);
    expect(gpus[0]).toMatchObject({ index: 0, uuid: 'GPU-0', memory_total_mib: 81559, compute_capability: '9.0' });
    expect(gpus[1]).toMatchObject({
      memory_used_mib: 500,
      foreign_processes: [{ pid: 7, name: '', memory_mib: 500, container: null }],
    });
    expect(gpus[2]?.health).toMatchObject({ verdict: 'unusable', findings: [{ why: 'Broken on purpose.' }] });
    expect(gpus[3]?.health.verdict).toBe('healthy');
  });

  it('says how they are linked: the later line counts, and the node where none does', () => {
    expect(read(four).links.map(({ between: [a, b], kind, nvlinks }) => `${a} ${b} ${kind}${nvlinks}`)).toEqual([
      'GPU-0 GPU-1 NV4',
      'GPU-0 GPU-2 PHB0',
      'GPU-0 GPU-3 SYS0',
      'GPU-1 GPU-2 NV4',
      'GPU-1 GPU-3 SYS0',
      'GPU-2 GPU-3 NODE0',
    ]);
  });

  it.each([
    ['gpus: [', /^\/etc\/gpus\.yaml: line 1, column \d+: /],
    ['', /^\/etc\/gpus\.yaml does not describe GPUs: the file: /],
    ['gpus: [{uuid: GPU-0}]', /gpus\[0\]\.memory_mib: /],
    ['gpus: [{uuid: zero, memory_mib: 1}]', /gpus\[0\]\.uuid: must be a UUID/],
    [
      'gpus: [{uuid: GPU-0, memory_mib: 1, compute_capability: 9.0}]',
      /compute_capability: must be text in quotes, such as "9\.0"/,
    ],
    [
      'gpus: [{uuid: GPU-0, memory_mib: 1}, {uuid: GPU-0, memory_mib: 1}]',
      /gpus\[1\]\.uuid: an earlier GPU has it already/,
    ],
    [
      'gpus: [{uuid: GPU-0, memory_mib: 1}]\nlinks: [{gpus: [0, 1], kind: PIX}]',
      /links\[0\]\.gpus: there is no GPU 1; the file has 1, counted from 0/,
    ],
    [
      'gpus: []\nlinks: [{gpus: [0, 1], kind: NV}]',
      /links\[0\]\.kind: must be NV and a count, such as NV18, or one of PIX/,
    ],
    ['gpus: []\nlink: []', /"link"/],
  ])('is refused with the place: %s', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});

describe('TANDEM_GPUS', () => {
  const choose = (source: 'auto' | 'nvidia' | 'none') =>
    chooseGpuSource({ setting: { source }, environment: { PATH: '/nonexistent' } });

  it('auto is none where nvidia-smi is not to be found, which nvidia takes for an error', async () => {
    expect((await choose('auto')).kind).toBe('none');
    expect((await choose('none')).kind).toBe('none');
    await expect(choose('nvidia')).rejects.toThrow(/^TANDEM_GPUS: nvidia-smi is in no directory of PATH; install/);
  });

  it('names a file, which has to be right at the start', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tandem-gpus-'));
    const path = join(directory, 'gpus.yaml');
    const open = () => chooseGpuSource({ setting: { source: 'file', path }, environment: {} });
    await expect(open()).rejects.toThrow(`TANDEM_GPUS: ${path} cannot be read (ENOENT); name a file`);
    writeFileSync(path, 'gpus: none');
    await expect(open()).rejects.toThrow(`TANDEM_GPUS: ${path} does not describe GPUs: gpus: `);
    writeFileSync(path, four);
    expect((await (await open()).read(new AbortController().signal)).gpus).toHaveLength(4);
    rmSync(directory, { recursive: true });
  });
});
