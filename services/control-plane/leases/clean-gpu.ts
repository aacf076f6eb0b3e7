import type { Gpu } from '../../contracts/gpu.ts';

/**
 * Memory in use below which a GPU counts as clean, in MiB. An idle one has 1 to 25 MiB in use (test/golden/gpus), the context of any program on a GPU of a
 * data centre at least 300. It tells of programs that the list of processes does not show, as in a container without the host's process numbers.
 */
export const CLEAN_BELOW_MIB = 256;

/** What keeps a GPU from being given to somebody else, although nobody of ours is on it; null for a clean one. `undefined`: it is not listed. */
export function findDirt(gpu: Gpu | undefined): string | null {
  if (gpu === undefined)
    return 'it is no longer listed; look at nvidia-smi -L and dmesg, or at the file that TANDEM_GPUS names';
  const { foreign_processes: processes, memory_used_mib: used, memory_total_mib: total } = gpu;
  const found = processes.map(({ pid, name, memory_mib }) => {
    const what = [...(name === '' ? [] : [name]), ...(memory_mib === null ? [] : [`${memory_mib} MiB`])].join(', ');
    return `process ${pid}${what === '' ? '' : ` (${what})`} is on it`;
  });
  // Some share the memory of the machine and tell none of their own: there only processes count.
  if (used === null && total !== null) return [...found, 'its memory cannot be read'].join('; ');
  if (found.length === 0 && (used ?? 0) < CLEAN_BELOW_MIB) return null;
  if (used === null) return found.join('; ');
  return [
    ...found,
    `${used} MiB in use${found.length === 0 ? ' by a program that cannot be seen from here' : ''}`,
  ].join('; ');
}
