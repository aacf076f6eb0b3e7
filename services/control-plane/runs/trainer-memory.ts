import { existsSync } from 'node:fs';
import { totalmem } from 'node:os';
import { installedAddon } from '../../contracts/installed-addon.ts';
import { type EngineMemory, MEMORY_SHARE, wasmMemory } from '../../contracts/native-memory.ts';

/** What of a machine decides. */
export interface TrainerHost {
  readonly exists: (path: string) => boolean;
  /** Of the host or, if that is less, of the container that this process is in: what trainers have that are its own processes. */
  readonly memoryBytes: () => number;
}

/**
 * What a tfjs trainer will compute in, as far as can be said before one is started: by `TANDEM_TF`, which trainers are given, else by what is installed here, which is where
 * their processes run and the image that their containers are made from. Null where it is for the trainer to judge: on a GPU, whose memory TensorFlow itself
 * knows, and on cores in a container of its own, which has other limits than this process and perhaps another host.
 */
export function trainerMemory(
  environment: Readonly<Record<string, string | undefined>>,
  { exists, memoryBytes }: TrainerHost = thisHost,
): EngineMemory | null {
  const wanted = environment['TANDEM_TF'] || 'auto';
  const onCores = () =>
    environment['TANDEM_RUNTIME'] === 'docker'
      ? null
      : ({ engine: 'node', limitBytes: Math.floor(MEMORY_SHARE * memoryBytes()) } as const);
  if (wanted === 'node') return onCores();
  if (wanted !== 'auto') return wanted === 'wasm' ? wasmMemory : null;
  const isInstalled = (variant: 'cpu' | 'cuda') => {
    const addon = installedAddon(environment, environment['HOME'] ?? null, variant);
    return addon !== null && exists(addon);
  };
  if (isInstalled('cuda')) return null;
  return isInstalled('cpu') ? onCores() : wasmMemory;
}

const thisHost: TrainerHost = {
  exists: existsSync,
  // 0, or more than there is, where no container limits it.
  memoryBytes: () => Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem()),
};
