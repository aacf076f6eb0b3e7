import { expect, it } from 'vitest';
import { readGpuFile } from './file-source.ts';
import { type ForeignContainer, withForeignContainers } from './foreign-containers.ts';

const file = `gpus:
  - {uuid: GPU-0, memory_mib: 81559, foreign_processes: [{pid: 7, container: busy}]}
  - {uuid: GPU-1, memory_mib: 81559}
  - {uuid: GPU-2, memory_mib: 81559}
`;
const source = { kind: 'file', read: async () => readGpuFile(file, 'gpus.yaml') } as const;
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
