import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mountSmallDisk, noMounts } from '../support/small-disk.ts';

const root = resolve(import.meta.dirname, '../..');
let directory: string;

/** A script as its wrapper starts it once everything is built. */
function run(script: 'visualize-training-log' | 'compare-experiments', ...args: string[]) {
  const main = join(root, 'dist/scripts', script, 'main.js');
  // Nothing answers there: what needs no control plane must not ask for one.
  const env = { PATH: process.env['PATH'] ?? '', TANDEM_URL: 'http://127.0.0.1:9' };
  const { status, stdout, stderr } = spawnSync('node', [main, ...args], { encoding: 'utf8', cwd: directory, env });
  return { status, stdout, stderr };
}
const visualize = (...args: string[]) => run('visualize-training-log', ...args);

const grpo = (rate: number) =>
  JSON.stringify({
    config: { model_path: 'm', output_dir: `outputs/${rate}`, learning_rate: rate, kl_coef: 0, val_data: null },
    train_history: Array.from({ length: 150 }, (_, at) => ({
      ...{ step: 10 * (at + 1), epoch: 0.02 * at, samples: 40 * at },
      ...{ loss: Math.sin(at), reward: at / 150, kl: 0.01, lr: rate },
    })),
    val_history: [],
    best_checkpoint: null,
  });
const write = (name: string, text: string) => {
  const path = join(directory, name, 'training_log.json');
  mkdirSync(join(directory, name));
  writeFileSync(path, text);
  return path;
};

let good: string;
beforeAll(() => {
  if (!existsSync(join(root, 'dist'))) throw new Error('dist/ is missing: run `npm run build` first');
  directory = mkdtempSync(join(tmpdir(), 'tandem-reports-'));
  good = write('good', grpo(1e-5));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('visualize_training_log', () => {
  test('has the name and the rights that people type', () => {
    for (const name of ['visualize_training_log', 'compare_experiments'])
      expect(statSync(join(root, 'scripts', name)).mode & 0o111).toBe(0o111);
  });

  test('prints the summary alone with --no-plot, and writes nothing', () => {
    const { status, stdout, stderr } = visualize('--log', good, '--no-plot');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^={60}\nTraining Summary\n={60}\n.*Training History: 150 entries\n.*={60}\n$/s);
    expect(readdirSync(join(directory, 'good'))).toEqual(['training_log.json']);
  });

  test('writes pictures, CSVs and a page where it is told to', () => {
    const output = join(directory, 'deep/plots');
    expect(visualize('--log', good, '--output', output, '--export-csv', '--html').status).toBe(0);
    expect(readdirSync(output).sort()).toEqual([
      'kl_curve.png',
      'loss_curve.png',
      'lr_curve.png',
      'report.html',
      'reward_curve.png',
      'train_history.csv',
      'val_history.csv',
    ]);
    expect(readFileSync(join(output, 'train_history.csv'), 'utf8').split('\n')).toHaveLength(152);
    expect(readFileSync(join(output, 'report.html'), 'utf8')).toContain('no val_data is set');
  });

  test('shows what is left of a log that was cut off, and says so', () => {
    const cut = write('cut', grpo(1e-5).slice(0, 5000));
    const { status, stdout, stderr } = visualize('--log', cut, '--no-plot');
    expect(status).toBe(65);
    expect(stdout).toMatch(/Training History: \d\d entries/);
    expect(stderr).toMatch(/was cut off: \d\d training and 0 validation entries could be read/);
  });

  test.each([
    ['nothing', [], 64, /--log is missing/],
    ['an unknown flag', ['--log', 'x', '--smooth'], 64, /--smooth/],
    ['a file that is not there', ['--log', 'none.json'], 66, /none\.json does not exist/],
    ['a directory', ['--log', 'good'], 65, /is a directory; give the file in it: good\/training_log\.json/],
    ['a program', ['--log', process.execPath], 65, /is no JSON object/],
    [
      'a run, and no control plane answers',
      ['--log', 'run-7k3m9q2d'],
      69,
      /no control plane answers at http:\/\/127\.0\.0\.1:9/,
    ],
  ])('given %s says what is wrong in a line', (_, args, status, message) => {
    const result = visualize(...args);
    expect(result.status).toBe(status);
    expect(result.stderr).toMatch(message);
    expect(result.stdout).toBe('');
    if (status !== 64) expect(result.stderr.trim().split('\n')).toHaveLength(1);
  });

  test('says that a file is in the way of its directory, after the summary', () => {
    const { status, stdout, stderr } = visualize('--log', good, '--output', good, '--no-plot', '--export-csv');
    expect(status).toBe(73);
    expect(stdout).toContain('Training Summary');
    expect(stderr).toMatch(
      /cannot be written: a file is in the way of the directory; name another one with --output\n$/,
    );
  });

  test.skipIf(noMounts)('says that a disk is full or read-only, and leaves no half file', () => {
    const disk = mountSmallDisk('1m');
    try {
      disk.fill(4096);
      const full = visualize('--log', good, '--output', disk.path, '--no-plot', '--export-csv');
      expect([full.status, full.stderr]).toEqual([
        73,
        expect.stringMatching(/cannot be written: the disk is full; free space on it\n$/),
      ]);
      expect(readdirSync(disk.path)).toEqual(['.filler']);
      disk.free();
      disk.readOnly();
      expect(visualize('--log', good, '--output', disk.path, '--no-plot', '--export-csv').stderr).toMatch(
        /read-only; mount it for writing, or choose another directory/,
      );
    } finally {
      disk.dispose();
    }
  });

  test('ends quietly when nobody reads on', () => {
    const main = join(root, 'dist/scripts/visualize-training-log/main.js');
    const { status, stderr } = spawnSync(
      'bash',
      ['-c', `node ${main} --log ${good} --no-plot | head -c 1 >/dev/null; exit \${PIPESTATUS[0]}`],
      { encoding: 'utf8' },
    );
    expect([status, stderr]).toEqual([0, '']);
  });
});

describe('compare_experiments', () => {
  test('compares what a shell wrote for outputs/*/training_log.json', () => {
    const other = write('other', grpo(3e-5));
    const { status, stdout } = run('compare-experiments', '--logs', good, other, '--output', 'page.html');
    expect([status, stdout]).toEqual([0, 'page.html: 2 runs compared\n']);
    const page = readFileSync(join(directory, 'page.html'), 'utf8');
    expect(page).toMatch(/<tr class="differs"><th>learning_rate<\/th><td>1e-05<\/td><td>3e-05<\/td><\/tr>/);
    expect(page.match(/<svg /g)).toHaveLength(4);
  });

  test('leaves out a log that cannot be read, names it, and does without a page for one', () => {
    const other = join(directory, 'other/training_log.json');
    const bad = write('bad', 'nonsense');
    const some = run('compare-experiments', '--logs', good, bad, other, '--output', 'some.html');
    expect([some.status, some.stdout]).toEqual([65, 'some.html: 2 runs compared\n']);
    expect(some.stderr).toMatch(/Left out: .*bad\/training_log\.json is no JSON object/);
    expect(readFileSync(join(directory, 'some.html'), 'utf8')).toContain('Left out:');
    const one = run('compare-experiments', '--logs', good, bad, '--output', 'one.html');
    expect([one.status, existsSync(join(directory, 'one.html'))]).toEqual([65, false]);
    expect(run('compare-experiments', '--logs', good).status).toBe(64);
  });
});
