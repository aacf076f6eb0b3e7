import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFunctionProcess } from '../../services/trainer/rollout/rewards/function-process.ts';

const rewards = resolve(import.meta.dirname, '../../dist/services/trainer/rollout/rewards');
const python = (process.env['PATH'] ?? '').split(':').some((directory) => existsSync(join(directory, 'python3')));

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-reward-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

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
      await program.call({ completions: ['a'], prompts: ['a'], answers: [null], columns: {} }, new AbortController().signal);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', trainer], {
    env: { ...process.env, TMPDIR: directory },
    stdio: 'ignore',
  });
  const written = `${file}.pid`;
  await until(() => existsSync(written) && readFileSync(written, 'utf8').endsWith('.'));
  const pids = readFileSync(written, 'utf8').slice(0, -1).split(' ').map(Number);
  expect(pids.map(isRunning)).toEqual([true, true]);
  child.kill('SIGKILL');
  await until(() => !pids.some(isRunning));
});

test.skipIf(!python)('what a Python function compares is a score, and what it leaves open is none', async () => {
  const file = join(directory, 'right.py');
  writeFileSync(
    file,
    'def right(completions, answers):\n    return [a == b for a, b in zip(completions, answers)] + [None]\n',
  );
  const program = createFunctionProcess({ file, name: 'right', timeoutMs: 30_000, memoryMb: 512 });
  const asked = { completions: ['4', '5'], prompts: ['2+2', '2+2'], answers: ['4', '4'], columns: {} };
  try {
    expect(await program.call(asked, new AbortController().signal)).toEqual([1, 0, null]);
  } finally {
    await program.close();
  }
});

function isRunning(pid: number): boolean {
  // What has ended and is not yet collected has no command line.
  const cmdline = `/proc/${pid}/cmdline`;
  return existsSync(cmdline) && readFileSync(cmdline, 'utf8') !== '';
}

async function until(ready: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 30_000; !ready(); await sleep(50)) {
    if (Date.now() > deadline) throw new Error('not reached within 30 s');
  }
}
