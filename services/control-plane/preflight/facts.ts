import type { ReadInventory } from '../gpus/gpu.service.ts';
import type { GpuDriver } from '../runtimes/docker/gpu-request.ts';

/** What was found on the host. Nothing here is judged. */
export interface Facts {
  system: { name: string; release: string; architecture: string };
  /** As what runs are started. */
  runtime: 'process' | 'docker';
  docker:
    | { version: string; apiVersion: string; gpuDriver: GpuDriver | null; showsGpus: boolean }
    | { failure: string };
  /** Version of the compose program, or of the one that started containers of this daemon; null: none was seen. */
  compose: string | null;
  gpus: Pick<ReadInventory, 'source' | 'driver_version' | 'cuda_version' | 'gpus' | 'problems'>;
  /** The user has said that there are none (TANDEM_GPUS=none). */
  gpusLeftOut: boolean;
  /** Whether a container sees the GPUs. */
  probe: GpuProbeAnswer;
  /** The directory that TANDEM_ADAPTERS_DIR names, as it is seen from here; null where none is named or runs are processes. */
  adapters: { path: string; kind: 'directory' | 'other' | 'missing' } | null;
  memoryBytes: number;
  disks: readonly { path: string; freeBytes: number }[];
  ports: readonly PortFact[];
  /** Of each key that some runs need: whether it is set. */
  keys: Readonly<Record<RunKey, boolean>>;
}

export type RunKey = 'GBOX_API_KEY' | 'HF_TOKEN' | 'WANDB_API_KEY';

export interface PortFact {
  /** The setting that chooses it. */
  setting: string;
  port: number;
  /** `ours`: a control plane listens there, or its MinIO. */
  state: 'free' | 'ours' | 'taken';
}

export type GpuProbeAnswer =
  | { kind: 'seen'; gpus: number }
  | { kind: 'failed'; why: string }
  | { kind: 'not_run'; why: string };
