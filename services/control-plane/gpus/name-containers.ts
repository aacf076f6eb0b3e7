import type { GpuProcess } from '../../contracts/gpu.ts';

/** The name of a container by its id; null where nobody tells it. */
export type ContainerName = (id: string) => Promise<string | null>;

/** What puts names in place of the ids of containers. Each is asked for once. */
export async function nameContainers(
  processes: readonly GpuProcess[],
  containerName: ContainerName,
): Promise<(process: GpuProcess) => GpuProcess> {
  const ids = new Set(processes.map(({ container }) => container).filter((id) => id !== null));
  const names = new Map(await Promise.all([...ids].map(async (id) => [id, await containerName(id)] as const)));
  return (process) => ({
    ...process,
    container: process.container && (names.get(process.container) ?? process.container),
  });
}
