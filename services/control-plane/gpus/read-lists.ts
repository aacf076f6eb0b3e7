import { oneLine } from './one-line.ts';
import { pciAddress } from './pci-address.ts';

/** What `nvidia-smi --query-gpu=index,uuid,compute_cap --format=csv,noheader` says of one GPU. */
export interface IndexedGpu {
  index: number;
  uuid: string;
  /** Null with drivers before R510 and where it cannot be read. */
  computeCapability: string | null;
}

/** Indices by UUID. The position in the XML is none when a GPU is out of reach, and the minor number never is. Other lines are skipped. */
export function readIndices(output: string): IndexedGpu[] {
  return output.split('\n').flatMap((line) => {
    const match = /^(\d{1,4}), (GPU-[0-9A-Za-z-]+)(?:, (.*))?$/.exec(line.trim());
    if (match === null) return [];
    const [, index, uuid = '', capability = ''] = match;
    return [{ index: Number(index), uuid, computeCapability: /^\d+\.\d+$/.test(capability) ? capability : null }];
  });
}

/** A MIG device as `nvidia-smi -L` has it. */
export interface ListedMigDevice {
  gpu: string;
  index: number;
  profile: string;
  uuid: string;
}

/** UUIDs of MIG devices, which the XML does not have. Other lines are skipped. */
export function readMigList(output: string): ListedMigDevice[] {
  let gpu: string | undefined;
  return output.split('\n').flatMap((line) => {
    gpu = /^GPU \d+: .*\(UUID: (GPU-[0-9A-Za-z-]+)\)/.exec(line)?.[1] ?? gpu;
    const device = /^\s+MIG (\S+)\s+Device\s+(\d{1,4}): \(UUID: (MIG-[0-9A-Za-z/-]+)\)/.exec(line);
    if (device === null || gpu === undefined) return [];
    const [, profile = '', index, uuid = ''] = device;
    return [{ gpu, index: Number(index), profile, uuid }];
  });
}

/** A GPU that the driver knows and cannot reach. */
export interface LostGpu {
  pciBusId: string;
  why: string;
}

/**
 * Lines such as `Unable to determine the device handle for GPU1: 0000:34:00.0: Unknown Error`, with which nvidia-smi begins when it cannot reach a GPU.
 * Older ones then stop, newer ones go on with the others.
 */
export function readLostGpus(output: string): LostGpu[] {
  const found = output.matchAll(
    /Unable to determine the device handle for GPU\s?(?:\d{1,3}: )?([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]): ([^\n]{1,200})/gi,
  );
  const lost = [...found].flatMap(([, address = '', why = '']) => {
    const pciBusId = pciAddress(address);
    return pciBusId === null ? [] : [{ pciBusId, why: oneLine(why, 120).replace(/\.$/, '') }];
  });
  return [...new Map(lost.map((gpu) => [gpu.pciBusId, gpu])).values()];
}
