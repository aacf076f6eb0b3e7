import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const golden = new URL('../golden/training-log/', import.meta.url).pathname;
const run = promisify(execFile);
const python = await run('python3', ['--version']).then(
  () => true,
  () => false,
);

it.skipIf(!python)(
  'training_log.json of each method is read by json.load and indexed as scripts of users do',
  async () => {
    const { stdout } = await run('python3', [`${golden}read.py`, golden]);
    expect(stdout.trim().split('\n')).toEqual([
      'sft: 9 settings, 2 rows, 1 validations, loss 0.5000, best outputs/run/best_model',
      'grpo: 9 settings, 3 rows, 1 validations, loss 0.5000, best outputs/run/best_model',
      'dpo: 7 settings, 2 rows, 1 validations, loss 0.6000, best outputs/run/best_model',
    ]);
  },
);
