import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type RewardSpec, rewardSchema } from '../../contracts/run-spec/reward.ts';
import { checkRewards } from './check-rewards.ts';
import { createPathPolicy } from './path-policy.ts';

test('files of rewards are found below the roots, and addresses may be called', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'tandem-rewards-'));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  writeFileSync(join(cwd, 'score.py'), '');
  const paths = createPathPolicy({ cwd, roots: [cwd], outputs: join(cwd, 'outputs'), home: join(cwd, '.tandem') });
  const check = (...written: unknown[]) =>
    checkRewards(
      written.map((each): RewardSpec => rewardSchema.parse(each)),
      paths,
    );

  const fine = [{ name: 'exact' }, { name: 'http', url: 'http://127.0.0.1:9/' }];
  expect(await check({ name: 'function', function: 'score.py:score' }, ...fine)).toEqual({
    issues: [],
    files: [join(cwd, 'score.py')],
  });
  const { issues } = await check(
    { name: 'function', function: 'absent.py:score' },
    { name: 'function', function: '/etc/score.py:score' },
    { name: 'http', url: 'http://169.254.169.254/latest' },
    { name: 'http', url: 'ftp://127.0.0.1/' },
  );
  expect(issues).toEqual([
    { path: 'reward.0.function', message: expect.stringContaining('absent.py does not exist on this machine') },
    { path: 'reward.1.function', message: expect.stringContaining('is outside the directories') },
    { path: 'reward.2.url', message: expect.stringContaining('is link-local') },
    { path: 'reward.3.url', message: expect.stringContaining('must be an http or https URL') },
  ]);
});

test('what the file of a reward imports lies beside it, and where its links lead is looked at too', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'tandem-rewards-'));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  mkdirSync(join(cwd, 'rewards'));
  writeFileSync(join(cwd, 'shared.mjs'), '');
  writeFileSync(join(cwd, 'rewards/up.mjs'), "import '../shared.mjs';");
  writeFileSync(join(cwd, 'rewards/linked.py'), 'import secrets_of_others');
  symlinkSync('/etc/passwd', join(cwd, 'rewards/secrets_of_others.py'));
  const paths = createPathPolicy({ cwd, roots: [cwd], outputs: join(cwd, 'outputs'), home: join(cwd, '.tandem') });
  const rewards = ['rewards/up.mjs:score', 'rewards/linked.py:score'].map(
    (named): RewardSpec => rewardSchema.parse({ name: 'function', function: named }),
  );
  expect(await checkRewards(rewards, paths)).toEqual({
    files: [],
    issues: [
      {
        path: 'reward.0.function',
        message: expect.stringContaining('up.mjs imports ../shared.mjs, which lies outside'),
      },
      { path: 'reward.1.function', message: expect.stringContaining('leads to /etc/passwd, which is outside') },
    ],
  });
});
