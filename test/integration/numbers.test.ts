import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEngine } from '../../services/model/backend.ts';
import type { Kernels } from '../../services/model/kernels/kernels.ts';
import { createWasmKernels } from '../../services/model/kernels/wasm-kernels.ts';
import { compareLong, compareWithReference, type Kind, readReference } from '../../services/model/testing/reference.ts';

const golden = resolve(import.meta.dirname, '../golden/model');
const python = process.env['TANDEM_TORCH_PYTHON'] ?? '';
const seed = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 100_000);
const runs = process.env['TANDEM_TEST_FULL'] === '1' && existsSync(python);
const why = 'with --full and a Python with torch, transformers, peft and bitsandbytes in TANDEM_TORCH_PYTHON';

/** What the golden files hold for one seed, with the packages themselves for another one. */
describe.skipIf(!runs)(
  `random models of seed ${seed}, made now by transformers, PEFT and bitsandbytes (${why})`,
  () => {
    let directory: string;
    let kernels: Kernels;
    const worst = new Map<string, Record<string, number>>();

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'tandem-numbers-'));
      kernels = createWasmKernels(await startEngine());
      await runPython('make_random.py', directory, String(seed));
    }, 280_000);
    afterAll(async () => {
      process.stdout.write(`${table(worst)}\n`);
      await rm(directory, { recursive: true, force: true });
    });

    test.each(['qwen2', 'qwen3', 'llama'])('agree with %s', async (family) => {
      const names = (await readdir(directory)).filter((name) => name.startsWith(`${family}-`));
      expect(names).toHaveLength(3);
      const found: Record<string, number> = {};
      const note = (key: string, value: number) => {
        found[key] = Math.max(found[key] ?? 0, value);
      };
      for (const name of names) {
        const at = join(directory, name);
        for (const kind of ['full', 'lora', 'qlora'] satisfies Kind[]) {
          for (const [what, value] of Object.entries(await compareWithReference(at, kind, kernels))) {
            note(`${kind} ${what}`, value);
          }
        }
        if ((await readReference(at)).long !== null) note('long logits', await compareLong(at, kernels));
      }
      worst.set(family, found);
      for (const [what, value] of Object.entries(found)) {
        expect(value, what).toBeLessThan(what.endsWith('gradients') ? 1e-3 : 1e-4);
      }
    });

    test('bitsandbytes makes the 4-bit weights of the golden file', async () => {
      const file = join(directory, 'nf4.json');
      await runPython('make_nf4.py', file);
      const [made, kept] = await Promise.all(
        [file, join(golden, 'nf4.json')].map(async (at) => JSON.parse(await readFile(at, 'utf8'))),
      );
      // Sums of float32 values differ between machines.
      const comparable = ({
        levels,
        scale_levels,
        cases,
      }: {
        levels: unknown;
        scale_levels: unknown;
        cases: object[];
      }) => ({
        ...{ levels, scale_levels },
        cases: cases.map((each) => ({ ...each, cpu_offset: null, cpu_codes: null })),
      });
      expect(comparable(made)).toEqual(comparable(kept));
    });
  },
);

async function runPython(script: string, ...args: string[]): Promise<void> {
  const env = { PATH: process.env['PATH'] ?? '', HF_HUB_OFFLINE: '1', CUDA_VISIBLE_DEVICES: '' };
  await promisify(execFile)(python, [join(golden, script), ...args], { env, maxBuffer: 2 ** 24 });
}

function table(worst: ReadonlyMap<string, Readonly<Record<string, number>>>): string {
  const columns = [...new Set([...worst.values()].flatMap((found) => Object.keys(found)))];
  const lines = columns.map((column) => {
    const cells = [...worst.values()].map((found) => (found[column] ?? Number.NaN).toExponential(1));
    return `| ${[column, ...cells].join(' | ')} |`;
  });
  const heads = ['largest difference', ...worst.keys()];
  return [`| ${heads.join(' | ')} |`, `|${'---|'.repeat(heads.length)}`, ...lines].join('\n');
}
