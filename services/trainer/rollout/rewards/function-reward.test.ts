import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RewardSpec, rewardSchema } from '../../../contracts/run-spec/reward.ts';
import type { PromptExample } from '../../data/readers/prompt-reader.ts';
import { createFunctionProcess } from './function-process.ts';
import { hashRewardFiles } from './hash-files.ts';
import { openReward, TaskSkipped } from './reward.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tandem-reward-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));

const never = new AbortController().signal;
const task: PromptExample = { id: 't1', prompt: [1], messages: 1, source: 'q', answer: '85', columns: { level: 2 } };
const texts = (...all: string[]) => all.map((text) => ({ text, tokens: [] }));
const file = (name: string, content: string) => {
  const at = path.join(directory, name);
  writeFileSync(at, content);
  return at;
};
const open = (at: string, name: string, more: Record<string, unknown> = {}) =>
  openReward([rewardSchema.parse({ name: 'function', function: `${at}:${name}`, ...more }) as RewardSpec], [at]);

test('a JavaScript function scores with the columns of the row, fails by name, is ended when it hangs, and starts anew', async () => {
  const at = file(
    'score.mjs',
    `let calls = 0;
    export async function right(completions, { answers, level, prompts }) {
      console.log('printed', process.env.SECRET_KEY);
      calls += 1;
      const [first] = completions;
      if (first === 'throw') throw new TypeError('no such thing');
      if (first === 'hang') for (;;) {}
      if (first === 'exit') process.exit(3);
      if (first === 'noise') (await import('node:fs')).writeSync(3, 'noise\\n');
      if (first === 'forged') (await import('node:fs')).writeSync(3, '{"id":1,"scores":[7]}\\n');
      if (first === 'nan') return [Number.NaN];
      if (first === 'undefined') return [undefined];
      if (first === 'secret') return [process.env.SECRET_KEY === undefined ? 1 : 0];
      return completions.map((text, i) => (text === answers[i] ? level[i] : 0) + calls / 1024 + (prompts[i] === 'q' ? 10 : 0));
    }`,
  );
  process.env['SECRET_KEY'] = 'x';
  const reward = await open(at, 'right', { timeout: 0.3 });
  const score = async (...all: string[]) => (await reward.score(task, texts(...all), never)).map(({ total }) => total);
  try {
    expect(await score('85', '86')).toEqual([12 + 1 / 1024, 10 + 1 / 1024]);
    // Calls wait for one another.
    expect(await Promise.all([score('85'), score('secret')])).toEqual([[12 + 2 / 1024], [1]]);
    await expect(score('throw')).rejects.toMatchObject({
      reason: 'reward_error',
      message: `the reward ${at}:right (task t1): threw TypeError: no such thing (score.mjs, line 6)`,
      remedy: expect.stringContaining('Mend the function, then resume'),
    });
    await expect(score('nan')).rejects.toThrow('(task t1, completion 1 of 1): gave "NaN", which is no finite number');
    await expect(score('noise')).rejects.toThrow('wrote "noise" to descriptor 3, which is for replies');
    await expect(score('forged')).rejects.toThrow('to descriptor 3, which is for replies');
    await expect(score('undefined')).rejects.toThrow('completion 1 of 1): gave "undefined", which is no finite number');
    await expect(score('hang')).rejects.toMatchObject({
      message: expect.stringContaining('gave no scores within 0.3 s'),
      remedy: expect.stringContaining('Raise timeout of the reward'),
    });
    expect(await score('85')).toEqual([12 + 1 / 1024]);
    await expect(score('exit')).rejects.toThrow('ended with 3: printed undefined');
    expect(await score('85')).toEqual([12 + 1 / 1024]);
    const waiting = Promise.allSettled([score('85'), score('86')]);
    await reward.close();
    for (const each of await waiting) expect(String((each as PromiseRejectedResult).reason)).toContain('is closed');
  } finally {
    delete process.env['SECRET_KEY'];
    await reward.close();
  }
});

test('what a function started ends with it, and does not hide its end', async () => {
  const at = file(
    'starts.mjs',
    `import { spawn } from 'node:child_process';
    import { writeFileSync } from 'node:fs';
    const sleep = (seconds, detached) => spawn('sleep', [seconds], { stdio: 'inherit', detached }).pid;
    export function score([first]) {
      writeFileSync(import.meta.dirname + '/started', String(sleep(first === 'exit' ? 5 : 60, first === 'exit')));
      if (first === 'exit') { console.log('bye'); process.exit(3); }
      return [1];
    }`,
  );
  const reward = await open(at, 'score');
  const begun = performance.now();
  // It is in no group of ours, and holds the pipes open.
  await expect(reward.score(task, texts('exit'), never)).rejects.toThrow('ended with 3: bye');
  await reward.score(task, texts('stay'), never);
  await reward.close();
  expect(performance.now() - begun).toBeLessThan(4000);
  const started = Number(readFileSync(path.join(directory, 'started'), 'utf8'));
  await expect.poll(() => isRunning(started)).toBe(false);
});

function isRunning(pid: number): boolean {
  // What has ended and is not yet collected has no command line.
  const cmdline = `/proc/${pid}/cmdline`;
  return existsSync(cmdline) && readFileSync(cmdline, 'utf8') !== '';
}

test('what is started once it was closed ends at once', async () => {
  const at = file('once.mjs', 'export const score = () => [1];');
  const program = createFunctionProcess({ file: at, name: 'score', timeoutMs: 5000, memoryMb: 512 });
  const stopped = AbortSignal.abort(new Error('stop requested'));
  const request = { completions: ['a'], prompts: ['a'], answers: [null], columns: {} };
  await expect(program.call(request, stopped)).rejects.toThrow('stop requested');
  const waiting = program.ready();
  await program.close();
  await expect(waiting).rejects.toThrow('is closed');
  await expect(program.ready()).rejects.toThrow('is closed');
});

test('a completion is left to the other rewards with null, is told of with its tokens, and must be scored by one', async () => {
  const at = file(
    'some.mjs',
    `export const even = (_, { completion_ids }) => completion_ids.map(([id]) => (id % 2 === 0 ? 1 : null));
    export const small = (_, { completion_ids }) => completion_ids.map(([id]) => (id < 5 ? 0.5 : null));`,
  );
  const both = (...policies: string[]) =>
    openReward(
      ['even', 'small'].map((name, i) =>
        rewardSchema.parse({ name: 'function', function: `${at}:${name}`, on_failure: policies[i] }),
      ),
      [at, at],
    );
  const [fails, skips] = await Promise.all([both('skip', 'fail'), both('skip', 'skip')]);
  const score = (reward: typeof fails, ...ids: number[]) =>
    reward.score(
      task,
      ids.map((id) => ({ text: '', tokens: [id] })),
      never,
    );
  try {
    expect(await score(fails, 2, 3, 6)).toEqual([
      { total: 1.5, success: false, parts: { even: 1, small: 0.5 } },
      { total: 0.5, success: false, parts: { small: 0.5 } },
      { total: 1, success: true, parts: { even: 1 } },
    ]);
    await expect(score(fails, 2, 7)).rejects.toMatchObject({
      reason: 'reward_error',
      message: `the reward ${at}:even, the reward ${at}:small (task t1, completion 2 of 2): none of them gave it a score (None)`,
      remedy: expect.stringContaining('Return a number for each completion from one reward at least'),
    });
    await expect(score(skips, 2, 7)).rejects.toBeInstanceOf(TaskSkipped);
  } finally {
    await Promise.all([fails.close(), skips.close()]);
  }
});

test('what cannot be loaded is found before training', async () => {
  file('beside.mjs', 'export const limit = 3;\nnull.limit;');
  const broken = file('imports.mjs', 'import { limit } from "./beside.mjs";\nexport const score = () => [limit];');
  await expect(open(broken, 'score')).rejects.toThrow(
    /cannot be loaded: TypeError: Cannot read .* \(beside\.mjs, line 2\)$/,
  );
  const wrong = file('wrong.mjs', 'export function score() {\n  return [1;\n}');
  await expect(open(wrong, 'score')).rejects.toThrow(/cannot be loaded: SyntaxError: .* \(wrong\.mjs, line 2\)$/);
  const at = file('broken.mjs', 'export function other() {}\nexport const limit = 3;');
  await expect(open(at, 'score')).rejects.toMatchObject({
    reason: 'reward_error',
    message: `${at}:score cannot be loaded: Error: it exports no function score; it exports other`,
  });
});

test('the files of rewards have one hash, which their contents and those of their imports decide', async () => {
  const at = file('hashed.mjs', "import './words.mjs';");
  file('words.mjs', 'export {}');
  expect(await hashRewardFiles([])).toBeNull();
  const hashes = [await hashRewardFiles([at])];
  file('words.mjs', 'export { }');
  hashes.push(await hashRewardFiles([at]));
  file('hashed.mjs', "import './words.mjs' ;");
  hashes.push(await hashRewardFiles([at]), await hashRewardFiles([at, at]));
  expect(new Set(hashes).size).toBe(4);
  await expect(hashRewardFiles([`${at}x`])).rejects.toThrow('cannot be read (ENOENT)');
});

test('a file that imports nothing of its directory has the hash that checkpoints have of it', async () => {
  const at = file('alone.mjs', 'export const score = () => [1];');
  const known = createHash('sha256').update('31\0export const score = () => [1];').digest('hex');
  expect(await hashRewardFiles([at])).toBe(known);
});
