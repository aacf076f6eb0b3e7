import { dirname, join } from 'node:path';
import type { SpecIssue } from '../../contracts/resolve-run-spec.ts';
import { splitFunction } from '../../contracts/run-spec/reward.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { refuseUrl } from '../../platform/address-policy.ts';
import { followImports, ImportRefusedError } from '../../platform/local-imports/follow-imports.ts';
import { type PathPolicy, PathRefusedError } from './path-policy.ts';

interface CheckedRewards {
  readonly issues: SpecIssue[];
  /** Absolute paths of the files that `function` rewards name, in their order. */
  readonly files: string[];
}

/** Of a method that scores nothing. */
export const noRewards: CheckedRewards = { issues: [], files: [] };

/** What of the rewards depends on this machine: files that must be there, and addresses that may be called. */
export async function checkRewards(
  rewards: RunSpec['reward'],
  paths: Pick<PathPolicy, 'existing'>,
): Promise<CheckedRewards> {
  const checked: CheckedRewards = { issues: [], files: [] };
  for (const [i, reward] of rewards.entries()) {
    if (reward.name === 'http') {
      const message = refuseUrl(reward.url);
      if (message !== null) checked.issues.push({ path: `reward.${i}.url`, message });
    }
    if (reward.name !== 'function') continue;
    try {
      const file = await paths.existing(splitFunction(reward.function).file, 'file');
      // What comes along with it may be links, which are followed.
      for (const name of await followImports(file)) await paths.existing(join(dirname(file), name), 'file');
      checked.files.push(file);
    } catch (error) {
      if (!(error instanceof PathRefusedError || error instanceof ImportRefusedError)) throw error;
      checked.issues.push({ path: `reward.${i}.function`, message: error.message });
    }
  }
  return checked;
}
