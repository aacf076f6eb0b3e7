import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startKernels } from '../../services/model/testing/support.ts';
import { compareSft, type TrlSftGolden } from '../../services/trainer/test-support/compare-sft-with-trl.ts';
import {
  compareDpo,
  compareGrpo,
  largestDifference,
  type TrlGolden,
} from '../../services/trainer/test-support/compare-with-trl.ts';

const python = process.env['TANDEM_TORCH_PYTHON'] ?? '';
const golden = path.resolve(import.meta.dirname, '../golden/trl');

describe.skipIf(python === '' || process.env['TANDEM_TEST_FULL'] === undefined)(
  'the installed TRL (needs TANDEM_TORCH_PYTHON with trl, and --full)',
  () => {
    let directory: string;
    beforeAll(() => {
      directory = mkdtempSync(path.join(tmpdir(), 'tandem-trl-'));
    });
    afterAll(() => rmSync(directory, { recursive: true }));

    const madeBy = <T>(script: string, file: string): T => {
      const env = { PATH: process.env['PATH'] ?? '', HF_HUB_OFFLINE: '1', CUDA_VISIBLE_DEVICES: '' };
      execFileSync(python, [path.join(golden, script), directory], { env, stdio: 'ignore' });
      return JSON.parse(readFileSync(path.join(directory, file), 'utf8')) as T;
    };

    it('gives the losses and gradients that ours gives', () => {
      const live = madeBy<TrlGolden>('make_golden.py', 'golden.json');
      const differences = [
        ...live.grpo.cases.map((given) => largestDifference(compareGrpo(live, given))),
        ...live.dpo.cases.map((given) => largestDifference(compareDpo(live, given))),
      ];
      expect(differences).toHaveLength(14);
      expect(Math.max(...differences)).toBeLessThan(1e-5);
    }, 180_000);

    it('takes the SFT step that ours takes, plain, on completions alone, and packed', async () => {
      const live = madeBy<TrlSftGolden>('make_sft.py', 'sft.json');
      const kernels = await startKernels();
      for (const given of live.cases) {
        const difference = largestDifference(await compareSft(live, given, kernels));
        expect(difference, JSON.stringify([given.packing, given.completion_only])).toBeLessThan(1e-5);
      }
      expect(live.cases).toHaveLength(4);
    }, 180_000);
  },
);
