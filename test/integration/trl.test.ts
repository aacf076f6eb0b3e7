import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  compareDpo,
  compareGrpo,
  largestDifference,
  type TrlGolden,
} from '../../services/trainer/test-support/compare-with-trl.ts';

const python = process.env['TANDEM_TORCH_PYTHON'] ?? '';
const script = path.resolve(import.meta.dirname, '../golden/trl/make_golden.py');

describe.skipIf(python === '' || process.env['TANDEM_TEST_FULL'] === undefined)(
  'the installed TRL (needs TANDEM_TORCH_PYTHON with trl, and --full)',
  () => {
    it('gives the losses and gradients that ours gives', () => {
      const directory = mkdtempSync(path.join(tmpdir(), 'tandem-trl-'));
      try {
        execFileSync(python, [script, directory], { stdio: ['ignore', 'ignore', 'inherit'] });
        const live: TrlGolden = JSON.parse(readFileSync(path.join(directory, 'golden.json'), 'utf8'));
        const differences = [
          ...live.grpo.cases.map((given) => largestDifference(compareGrpo(live, given))),
          ...live.dpo.cases.map((given) => largestDifference(compareDpo(live, given))),
        ];
        expect(differences).toHaveLength(14);
        expect(Math.max(...differences)).toBeLessThan(1e-5);
      } finally {
        rmSync(directory, { recursive: true });
      }
    }, 180_000);
  },
);
