import { accessSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { installedAddon } from '../../contracts/installed-addon.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The addons that join tfjs to a TensorFlow: absolute paths, null where there is none. */
export interface Addons {
  readonly cpu: string | null;
  readonly cuda: string | null;
}

/** Where the packages as published put theirs; 8 is the newest Node-API they are built for. */
const PUBLISHED = path.join('lib', 'napi-v8', 'tfjs_binding.node');

/** Looks where `scripts/install-tensorflow.sh` installs, then in the packages of tfjs-node that were installed with their scripts. */
export function findAddons(environment: Environment): Addons {
  const home = environment['HOME'] || homedir();
  const installed = (variant: 'cpu' | 'cuda') => existing(installedAddon(environment, home, variant));
  return {
    cpu: installed('cpu') ?? published('@tensorflow/tfjs-node'),
    cuda: installed('cuda') ?? published('@tensorflow/tfjs-node-gpu'),
  };
}

/**
 * Whether this process was given a GPU of NVIDIA's: a device file that it may open, and CUDA_VISIBLE_DEVICES not empty, which is how a process gets none
 * on a machine that has some.
 */
export function seesGpu(environment: Environment): boolean {
  const visible = environment['CUDA_VISIBLE_DEVICES'];
  if (visible === '' || visible === '-1') return false;
  return ['/dev/nvidiactl', '/dev/dxg'].some((device) => isReadable(device));
}

function published(name: string): string | null {
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return existing(path.join(path.dirname(manifest), PUBLISHED));
  } catch {
    return null;
  }
}

function existing(file: string | null): string | null {
  return file !== null && existsSync(file) ? file : null;
}

function isReadable(device: string): boolean {
  try {
    accessSync(device);
    return true;
  } catch {
    return false;
  }
}
