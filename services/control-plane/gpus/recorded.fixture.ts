import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNvidiaSource } from './nvidia-source.ts';
import type { Program, ProgramAnswer } from './run-program.ts';

const DIRECTORY = join(import.meta.dirname, '../../../test/golden/gpus');

export const HOSTS = ['h100-8-nvlink', 'a10-4-pcie', 'a100-2-mig', 'h100-5-broken'] as const;

/** A file of `test/golden/gpus`. */
export const recorded = (host: string, file: string): string => readFileSync(join(DIRECTORY, host, file), 'utf8');

/** An nvidia-smi that says what is recorded of a host. `change` replaces answers by the first argument; an Error is thrown. */
export function recordedSmi(
  host: string,
  change: Record<string, string | Partial<ProgramAnswer> | Error | undefined> = {},
): Program {
  const files: Record<string, string> = { '-q': 'smi.xml', topo: 'topo.txt', '-L': 'list.txt' };
  return {
    run: async ([first = '']) => {
      const changed = change[first.split('=', 1)[0] ?? ''];
      if (changed instanceof Error) throw changed;
      const answer = typeof changed === 'string' ? { stdout: changed } : changed;
      return {
        code: 0,
        stderr: '',
        stdout: '',
        ...(answer ?? { stdout: recorded(host, files[first] ?? 'index.csv') }),
      };
    },
  };
}

/** The GPUs of a recorded host. */
export const recordedSource = (
  host: string,
  change?: Parameters<typeof recordedSmi>[1],
  kernelLog: string | null = null,
) =>
  createNvidiaSource({
    smi: recordedSmi(host, change),
    kernelLog: async () => kernelLog,
    containerOf: async (pid) => (pid === 41394 ? 'c0ffee' : null),
  });
