import type { Gpu, GpuInventory } from '../../contracts/gpu.ts';
import type { LostGpu } from './read-lists.ts';

/** What one reading of the GPUs gave. */
export type GpuReading = Pick<GpuInventory, 'driver_version' | 'cuda_version' | 'links' | 'problems'> & { gpus: Gpu[] };

/** Where the GPUs of the host are known from. */
export interface GpuSource {
  kind: GpuInventory['source'];
  /**
   * Reads them; takes a minute at most.
   * @throws GpuSourceError when nothing could be read
   */
  read(signal: AbortSignal): Promise<GpuReading>;
}

/** The GPUs could not be read; the message says what stood in the way and the remedy. */
export class GpuSourceError extends Error {
  override readonly name = 'GpuSourceError';
  /** Those of which the source says that they are out of reach. */
  readonly lost: readonly LostGpu[];

  constructor(message: string, { lost = [], cause }: { lost?: readonly LostGpu[]; cause?: unknown } = {}) {
    super(message, { cause });
    this.lost = lost;
  }
}

export const NOTHING_READ: GpuReading = { driver_version: null, cuda_version: null, gpus: [], links: [], problems: [] };

/** A host without GPUs. */
export const noGpus: GpuSource = { kind: 'none', read: async () => NOTHING_READ };
