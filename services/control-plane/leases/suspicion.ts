import type { Gpu } from '../../contracts/gpu.ts';
import { pciAddress } from '../gpus/pci-address.ts';

/** How long a GPU that a program called broken is given to nobody, in milliseconds, although it is read to be healthy: the driver may find out later, or never. */
export const COOL_DOWN_MS = 600_000;

/**
 * Whether what a program printed of a broken GPU is about this one: the one that it names by UUID or PCI address, or any where it names none. An index says
 * nothing, for programs count the GPUs that they see.
 */
export function isMeant(line: string, { uuid }: Pick<Gpu, 'uuid'>, all: readonly Gpu[]): boolean {
  const places = new Set(
    [...line.matchAll(/[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}/gi)].map(([text]) => pciAddress(text)),
  );
  const named = all.filter(
    (gpu) => line.includes(gpu.uuid) || (gpu.pci_bus_id !== null && places.has(pciAddress(gpu.pci_bus_id))),
  );
  return named.length === 0 || named.some((gpu) => gpu.uuid === uuid);
}

/** In words, with the ways out. */
export function tellSuspicion(line: string, uuid: string): string {
  const minutes = COOL_DOWN_MS / 60_000;
  return `a program on it printed "${line}"; it is given out again ${minutes} minutes after that program's end if it is read to be healthy then, or by POST /gpus/${uuid}/release`;
}
