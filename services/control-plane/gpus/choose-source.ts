import type { GpusSetting } from '../settings.ts';
import { StartError } from '../start-error.ts';
import { containerOf } from './container-of.ts';
import { createFileSource } from './file-source.ts';
import { type GpuSource, GpuSourceError, noGpus } from './gpu-source.ts';
import { readKmsg } from './kernel-log.ts';
import { createNvidiaSource } from './nvidia-source.ts';
import { createProgram, findProgram } from './run-program.ts';

/** Without persistence mode the driver needs seconds for each GPU. */
const TIMEOUT_MS = 30_000;
const KERNEL_LOG = '/dev/kmsg';

export interface ChooseOptions {
  setting: GpusSetting;
  environment: Readonly<Record<string, string | undefined>>;
}

/**
 * The inventory that `TANDEM_GPUS` asks for. nvidia-smi is only looked for here, not run: it may take long.
 * @throws StartError when nvidia-smi is asked for and missing, or when a file does not describe GPUs
 */
export async function chooseGpuSource({ setting, environment }: ChooseOptions): Promise<GpuSource> {
  if (setting.source === 'none') return noGpus;
  if (setting.source === 'file') return openFile(setting.path);
  const path = await findProgram('nvidia-smi', environment['PATH']);
  if (path !== null) {
    const smi = createProgram({ path, environment, timeoutMs: TIMEOUT_MS });
    return createNvidiaSource({ smi, kernelLog: () => readKmsg(KERNEL_LOG), containerOf: (pid) => containerOf(pid) });
  }
  if (setting.source === 'auto') return noGpus;
  throw new StartError(
    'TANDEM_GPUS: nvidia-smi is in no directory of PATH; install the NVIDIA driver, or set auto to start without GPUs',
  );
}

async function openFile(path: string): Promise<GpuSource> {
  const source = createFileSource(path);
  try {
    await source.read(new AbortController().signal);
  } catch (error) {
    if (!(error instanceof GpuSourceError)) throw error;
    throw new StartError(`TANDEM_GPUS: ${error.message}`, { cause: error });
  }
  return source;
}
