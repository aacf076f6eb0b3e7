import { statfsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { SlowestFirst } from './test/support/slowest-first.ts';

/** Machines that build other things at the same time stall for seconds; what fails twice is no stall. The report names what was repeated. */
const retry = process.env['CI'] ? 1 : 0;

/** What compares bytes does so on the engine that every machine has. Tests of another one ask for it by name. */
const env = { TANDEM_TF: 'wasm' };

/** Tests share the cores by running side by side. Those of threads open some. */
const oneThread = { TANDEM_THREADS: '1' };

/** Where memory serves as a disk, tests have their files there: nobody pulls their plug, and waiting for a disk is half of the time of unit tests, a seventh of that of others. */
function inMemory(gibibytes: number): { TMPDIR?: string } {
  return hasRoom('/dev/shm', gibibytes * 2 ** 30) ? { TMPDIR: '/dev/shm' } : {};
}

/** Containers have 64 MB of it by default. */
function hasRoom(path: string, bytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize > bytes;
  } catch {
    return false;
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: SlowestFirst },
    projects: [
      {
        test: {
          name: 'fast',
          env: { ...env, ...oneThread, ...inMemory(2) },
          include: ['services/**/*.test.ts', 'scripts/**/*.test.ts', 'test/contract/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          // tfjs and the compiled sources are loaded once for each worker, not once for each file: half the processor time.
          isolate: false,
          retry,
          // Vitest would leave a core free; many tests wait.
          maxWorkers: '100%',
        },
      },
      {
        test: {
          name: 'integration',
          // Three daemons hold an image each, at the most. The big files of --full, and what its storms leave, lie on the real disk.
          env: { ...env, ...oneThread, ...(process.env['TANDEM_TEST_FULL'] ? {} : inMemory(8)) },
          include: ['test/integration/**/*.test.ts', 'test/faults/**/*.test.ts', 'test/e2e/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          // Each file starts programs of its own, and waits for them half of the time: three keep two cores busy.
          maxWorkers: 3,
          retry,
        },
      },
    ],
  },
});
