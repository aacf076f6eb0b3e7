import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { createFunctionProcess } from '../../services/trainer/rollout/rewards/function-process.ts';
import { isRunning } from '../support/processes.ts';

const rewards = resolve(import.meta.dirname, '../../dist/services/trainer/rollout/rewards');
const python = (process.env['PATH'] ?? '').split(':').some((directory) => existsSync(join(directory, 'python3')));

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-reward-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Functions that write down their process and one that they start, and never return. */
const functions = {
  'hang.mjs': `import { spawn } from 'node:child_process';
    import { writeFileSync } from 'node:fs';
    export function hang() {
      const { pid } = spawn('sleep', ['60']);
      writeFileSync(process.env.TMPDIR + '/hang.mjs.pid', process.pid + ' ' + pid + '.');
      for (;;) {}
    }`,
  'hang.py': `import os, subprocess
def hang(completions):
    with open(os.environ['TMPDIR'] + '/hang.py.pid', 'w') as out:
        out.write(str(os.getpid()) + ' ' + str(subprocess.Popen(['sleep', '60']).pid) + '.')
    while True:
        pass
`,
};

test.each(
  python ? ['hang.mjs', 'hang.py'] : ['hang.mjs'],
)('a reward that hangs, and what it started, ends by itself when its trainer is killed: %s', async (name) => {
  const file = join(directory, name);
  writeFileSync(file, functions[name as keyof typeof functions]);
  const trainer = `import { createFunctionProcess } from '${rewards}/function-process.js';
      const program = createFunctionProcess({ file: '${file}', name: 'hang', timeoutMs: 60_000, memoryMb: 512 });
      await program.call({ completions: ['a'], completion_ids: [[1]], prompts: ['a'], answers: [null], columns: {} }, new AbortController().signal);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', trainer], {
    env: { ...process.env, TMPDIR: directory },
    stdio: 'ignore',
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const written = `${file}.pid`;
  await until(() => existsSync(written) && readFileSync(written, 'utf8').endsWith('.'));
  const pids = readFileSync(written, 'utf8').slice(0, -1).split(' ').map(Number);
  expect(pids.map(isRunning)).toEqual([true, true]);
  child.kill('SIGKILL');
  await until(() => !pids.some(isRunning));
});

test.skipIf(!python)('a Python function scores, leaves out, and is told of with its place', async () => {
  write('helper.py', 'def divide(a, b):\n    return a / b\n');
  write('reward.py', 'limit = 8\n');
  const file = write(
    'right.py',
    `from os.path import join
from helper import divide
import reward

def right(completions, answers, completion_ids):
    first = completions[0]
    if first == 'zero':
        return [divide(1, len(completions) - 1)]
    if first == 'much':
        return [len(bytearray(1 << 33))]
    if first == 'words':
        return [{'score': 1}]
    if first == 'nothing':
        return None
    return [None if not ids else len(ids) + (a == b) for a, b, ids in zip(completions, answers, completion_ids)]
`,
  );
  const program = createFunctionProcess({ file, name: 'right', timeoutMs: 30_000, memoryMb: 512 });
  const ask = (...completions: string[]) =>
    program.call(
      {
        completions,
        completion_ids: completions.map((text) => [...text].map(Number)),
        prompts: completions,
        answers: completions.map(() => '4'),
        columns: { completion_ids: ['a column of the data'] },
      },
      new AbortController().signal,
    );
  try {
    expect(await ask('4', '55', '')).toEqual([2, 2, null]);
    await expect(ask('zero')).rejects.toThrow('threw ZeroDivisionError: division by zero (helper.py, line 2)');
    await expect(ask('much')).rejects.toMatchObject({
      message: 'ran out of memory: its process may use 512 MiB (memory_mb)',
      remedy: expect.stringMatching(/^Raise memory_mb of the reward.*with torch it takes 8192 or more\.$/),
    });
    expect(await ask('words')).toEqual(["{'score': 1}"]);
    expect(await ask('nothing')).toBeNull();
  } finally {
    await program.close();
  }
  const other = createFunctionProcess({ file, name: 'wrong', timeoutMs: 30_000, memoryMb: 512 });
  await expect(other.ready()).rejects.toThrow(/it defines no function wrong; it defines right$/);
});

test('a JavaScript function that fills its heap is told the limit, and nothing of the engine', async () => {
  const file = write(
    'fills.mjs',
    'export function fills() { for (const all = []; ; ) all.push(new Array(1e5).fill({})); }',
  );
  const program = createFunctionProcess({ file, name: 'fills', timeoutMs: 60_000, memoryMb: 64 });
  const failing = program.call({ completions: [], columns: {} }, new AbortController().signal);
  await expect(failing).rejects.toMatchObject({
    message: 'ran out of memory: its process may use 64 MiB (memory_mb)',
    remedy: 'Raise memory_mb of the reward, or let the function keep less at a time.',
  });
  await program.close();
});

function write(name: string, text: string): string {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
}

async function until(ready: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 30_000; !ready(); await sleep(50)) {
    if (Date.now() > deadline) throw new Error('not reached within 30 s');
  }
}
