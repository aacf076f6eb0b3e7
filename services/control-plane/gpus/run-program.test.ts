import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createProgram, findProgram } from './run-program.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-program-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const never = new AbortController().signal;
function program(script: string, timeoutMs = 20_000) {
  const path = join(directory, 'nvidia-smi');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return createProgram({
    path,
    environment: { PATH: process.env['PATH'], TANDEM_API_KEY: 'not-to-be-seen' },
    timeoutMs,
  });
}
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('a program', () => {
  it('gives what it printed and its exit code, and gets no secrets', async () => {
    const answer = await program('echo "$1 $LC_ALL $TANDEM_API_KEY."; echo oh >&2; exit 9').run(['-q'], never);
    expect(answer).toEqual({ code: 9, stdout: '-q C .\n', stderr: 'oh\n' });
  });

  it('that is not there does not start', async () => {
    const missing = createProgram({ path: join(directory, 'none'), environment: {}, timeoutMs: 1000 });
    await expect(missing.run([], never)).rejects.toThrow(/^does not start \(ENOENT\)/);
  });

  it('that hangs is killed', async () => {
    const hangs = program(`echo $$ > ${directory}/pid; exec sleep 600`, 300);
    await expect(hangs.run([], never)).rejects.toThrow(/^took longer than 0\.3 s and was killed/);
    const pid = Number(readFileSync(join(directory, 'pid'), 'utf8'));
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
  });

  it('is not started again while one that was killed is still there, and is once that is gone', async () => {
    const slow = program(`[ -e ${directory}/once ] && exit 0; touch ${directory}/once; exec sleep 600`, 300);
    await expect(slow.run([], never)).rejects.toThrow(/took longer/);
    // The end of the killed one is seen on a later turn of the event loop.
    await expect(slow.run([], never)).rejects.toThrow(/^was not started: process \d+, the same program, hangs/);
    await expect.poll(() => slow.run([], never).catch(() => null), { timeout: 10_000 }).toMatchObject({ code: 0 });
  });

  it('that has ended and left another with its output is given up, and started again', async () => {
    const leaves = program('sleep 5 & exit 0', 300);
    await expect(leaves.run([], never)).rejects.toThrow(/took longer/);
    await expect(leaves.run([], never)).rejects.toThrow(/took longer/);
  });

  it('that prints without end is killed', async () => {
    await expect(program('exec yes 0123456789012345678901234567890123456789').run([], never)).rejects.toThrow(
      /^printed more than 16 MiB and was killed/,
    );
  });

  it('ends with the control plane', async () => {
    const closing = new AbortController();
    const running = program(`touch ${directory}/began; exec sleep 600`).run([], closing.signal);
    const ended = expect(running).rejects.toThrow('was ended with the control plane');
    await expect.poll(() => existsSync(join(directory, 'began')), { timeout: 10_000 }).toBe(true);
    closing.abort();
    await ended;
    await expect(program('exit 0').run([], closing.signal)).rejects.toThrow(/^was not started/);
  });

  it('is found in PATH, or not', async () => {
    program('exit 0');
    expect(await findProgram('nvidia-smi', `/nonexistent:${directory}`)).toBe(join(directory, 'nvidia-smi'));
    expect(await findProgram('nvidia-smi', '/nonexistent:')).toBeNull();
    expect(await findProgram('nvidia-smi', undefined)).toBeNull();
  });
});
