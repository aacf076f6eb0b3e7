import { describe, expect, it } from 'vitest';
import { readTopology } from './read-topology.ts';
import { recorded } from './recorded.fixture.ts';

const of = (host: string) => readTopology(recorded(host, 'topo.txt'));

describe('readTopology', () => {
  it('reads NVLinks between all of eight, beside network cards and under an underlined header', () => {
    const { links, near } = of('h100-8-nvlink');
    expect(links).toHaveLength(28);
    expect(new Set(links.map(({ kind, nvlinks }) => `${kind}${nvlinks}`))).toEqual(new Set(['NV18']));
    expect(near.get(0)).toEqual({ cpus: '0-51,104-155', numaNode: 0 });
    expect(near.get(7)).toEqual({ cpus: '52-103,156-207', numaNode: 1 });
  });

  it('reads PCIe', () => {
    expect(of('a10-4-pcie').links).toEqual(
      [
        [0, 1, 'PXB'],
        [0, 2, 'SYS'],
        [0, 3, 'SYS'],
        [1, 2, 'SYS'],
        [1, 3, 'SYS'],
        [2, 3, 'NODE'],
      ].map(([a, b, kind]) => ({ between: [a, b], kind, nvlinks: 0 })),
    );
  });

  it('names no node where a GPU is next to several', () => {
    expect(of('a100-2-mig').near.get(0)).toEqual({ cpus: '0-63', numaNode: null });
  });

  it('goes by the names of rows and columns when a GPU in between is missing', () => {
    const text = '\tGPU0\tGPU2\tCPU Affinity\tNUMA Affinity\nGPU0\t X \tPIX\t0-7\t\tN/A\nGPU2\tPIX\t X \t\t\n';
    expect(readTopology(text)).toEqual({
      links: [{ between: [0, 2], kind: 'PIX', nvlinks: 0 }],
      near: new Map([
        [0, { cpus: '0-7', numaNode: null }],
        [2, { cpus: null, numaNode: null }],
      ]),
    });
  });

  it('takes a kind of link that it does not know for the slowest', () => {
    expect(readTopology('\tGPU0\tGPU1\nGPU0\t X \tSOC\nGPU1\tSOC\t X \n').links[0]?.kind).toBe('SYS');
  });

  it.each([
    ['', 'there is no line with GPU0 that begins a matrix: it begins nothing'],
    ['Failed to run topology matrix\n', /it begins "Failed to run topology matrix"/],
    ['\tGPU0\tGPU1\nGPU0\t X \tPIX\n', 'the row of GPU1 is missing: the answer is cut off'],
    ['\tGPU0\tGPU1\nGPU0\t X \nGPU1\tPIX\t X \n', 'the row of GPU0 is cut off'],
    ['\tGPU0\tGPU1\nGPU0\t X \t?!\nGPU1\t?!\t X \n', 'GPU0 to GPU1: "?!" is no kind of link'],
    ['\tGPU0\tGPU0\nGPU0\t X \t X \n', 'two columns are of the same GPU'],
  ])('says what is wrong with an answer (%#)', (text, message) => {
    expect(() => readTopology(text)).toThrow(message);
  });
});
