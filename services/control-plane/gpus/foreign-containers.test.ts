import { expect, it } from 'vitest';
import { readGpuFile } from './file-source.ts';
import { type ForeignContainer, withForeignContainers } from './foreign-containers.ts';

const file = `gpus:
  - {uuid: GPU-0, memory_mib: 81559, foreign_processes: [{pid: 7, container: busy}]}
  - {uuid: GPU-1, memory_mib: 81559}
  - {uuid: GPU-2, memory_mib: 81559}
`;
const part = { index: 0, uuid: 'MIG-of-2', profile: '3g.40gb', gpu_instance: 1, compute_instance: 0 };
const mig = { enabled: true, pending: true, devices: [{ ...part, memory_total_mib: null, memory_used_mib: null }] };
/** The second is at a place that is known, the third is split. */
const read = async () => {
  const reading = readGpuFile(file, 'gpus.yaml');
  const [first, second, third] = reading.gpus;
  return { ...reading, gpus: [first!, { ...second!, pci_bus_id: '0000:1b:00' }, { ...third!, mig }] };
};
const source = { kind: 'file', read } as const;
const container = (id: string, ids: string[], count = 0): ForeignContainer => ({
  id,
  pid: 41,
  requests: [{ ids, count }],
});
const usersWith = async (...containers: ForeignContainer[]) => {
  const { gpus } = await withForeignContainers(source, async () => containers).read(new AbortController().signal);
  return gpus.map((gpu) => gpu.foreign_processes.map(({ container }) => container));
};

it.each([
  ['by UUID', container('idle', ['GPU-1']), [['busy'], ['idle'], []]],
  ['by index', container('idle', ['2']), [['busy'], [], ['idle']]],
  ['by its name in CDI', container('idle', ['nvidia.com/gpu=GPU-1']), [['busy'], ['idle'], []]],
  ['as all in CDI', container('idle', ['nvidia.com/gpu=all']), [['busy', 'idle'], ['idle'], ['idle']]],
  ['as all by a count', container('idle', [], -1), [['busy', 'idle'], ['idle'], ['idle']]],
  ['as the first two', container('idle', [], 2), [['busy', 'idle'], ['idle'], []]],
  ['by its place', container('idle', ['00000000:1B:00.0']), [['busy'], ['idle'], []]],
  ['a part of by two indices', container('idle', ['2:0']), [['busy'], [], ['idle']]],
  ['a part of by UUID', container('idle', ['MIG-of-2']), [['busy'], [], ['idle']]],
  ['a part of by its older name', container('idle', ['MIG-GPU-1/0/0']), [['busy'], ['idle'], []]],
  ['and has a process on', container('busy', ['GPU-0']), [['busy'], [], []]],
])('counts a GPU as used that a container of others was given %s', async (_, given, expected) => {
  expect(await usersWith(given)).toEqual(expected);
});

it('counts nothing for a container that asked for no GPU', async () => {
  expect(await usersWith({ id: 'web', pid: 41, requests: [] })).toEqual([['busy'], [], []]);
});

it('tells what was read, and what stood in the way, when containers cannot be listed', async () => {
  const list = async () => {
    throw new Error('the daemon is away');
  };
  const { gpus, problems } = await withForeignContainers(source, list).read(new AbortController().signal);
  expect(gpus).toHaveLength(3);
  expect(problems).toEqual(['Containers of others could not be listed: the daemon is away']);
});
