import { expect, it, vi } from 'vitest';
import { nameContainers } from './name-containers.ts';

const process = (pid: number, container: string | null) => ({ pid, name: 'python3', memory_mib: 512, container });

it('puts the names of containers in place of their ids, asks for each once, and leaves ids that nobody knows', async () => {
  const processes = [process(1, 'a1'), process(2, 'a1'), process(3, 'b2'), process(4, null)];
  const ask = vi.fn(async (id: string) => (id === 'a1' ? 'jupyter' : null));
  const named = await nameContainers(processes, ask);
  expect(processes.map((each) => named(each).container)).toEqual(['jupyter', 'jupyter', 'b2', null]);
  expect(ask).toHaveBeenCalledTimes(2);
});
