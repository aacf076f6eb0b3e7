import type { DeviceRequestBody, EngineInfo } from './engine/engine-types.ts';

/** How a host gives GPUs to containers: by CDI device names, or by the NVIDIA runtime hook. */
export type GpuDriver = 'cdi' | 'nvidia';

/** What of `GET /info` tells how a daemon gives out GPUs. */
export type GpuFacts = Pick<EngineInfo, 'runtimes' | 'cdiDirectories' | 'cdiDevices'>;

/**
 * Which way a daemon gives out GPUs; null when it has none. The hook goes first: every toolkit that is installed for Docker sets it up, while a CDI
 * specification may be there and be out of date.
 */
export function gpuDriverOf({ runtimes, cdiDirectories, cdiDevices }: GpuFacts): GpuDriver | null {
  if (runtimes.includes('nvidia')) return 'nvidia';
  if (cdiDevices.length > 0) return cdiDevices.some((device) => device.startsWith('nvidia.com/gpu=')) ? 'cdi' : null;
  return cdiDirectories.length > 0 ? 'cdi' : null;
}

/** Whether a daemon shows that its host has GPUs: by the toolkit's hook, or by a device that it found. Directories for CDI alone are on each host of Docker 28. */
export function showsGpus({ runtimes, cdiDevices }: GpuFacts): boolean {
  return runtimes.includes('nvidia') || cdiDevices.some((device) => device.startsWith('nvidia.com/gpu='));
}

/**
 * The one request for all GPUs of a container, by UUID: a count would be answered with the first ones, whoever has them already
 * (moby daemon/devices_nvidia_linux.go). `compute` and `utility` are what CUDA and nvidia-smi need.
 */
export function deviceRequest(driver: GpuDriver, uuids: readonly string[]): DeviceRequestBody {
  return driver === 'cdi'
    ? { Driver: 'cdi', DeviceIDs: uuids.map((uuid) => `nvidia.com/gpu=${uuid}`) }
    : { Driver: 'nvidia', DeviceIDs: [...uuids], Capabilities: [['gpu', 'compute', 'utility']] };
}
