import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RoleIdentity } from '../runtime.ts';
import { readRoleState } from './role-state.ts';
import { shimScript } from './shim.ts';

const trainer: RoleIdentity = { run: 'run-00000001', attempt: 1, role: 'trainer', start: 1 };
const LIMIT_BYTES = 128 * 2 ** 20;

let state: string;
let cgroup: string | null;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'tandem-shim-'));
  cgroup = createCgroup();
});
afterEach(() => {
  rmSync(state, { recursive: true, force: true, maxRetries: 5 });
  if (cgroup !== null) rmdirSync(cgroup);
});

/** A cgroup of 128 MiB; null where this process may not make one. */
function createCgroup(): string | null {
  const name = `tandem-test-${process.pid}`;
  const [parent, limit] = existsSync('/sys/fs/cgroup/memory')
    ? ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes']
    : ['/sys/fs/cgroup', 'memory.max'];
  const path = join(parent as string, name);
  try {
    mkdirSync(path);
    if (existsSync(join(path, limit as string))) {
      writeFileSync(join(path, limit as string), String(LIMIT_BYTES));
      return path;
    }
    rmdirSync(path);
  } catch {
    // not the owner of cgroups here
  }
  return null;
}

async function runShim(script: string) {
  const enter = 'echo 0 > "$CGROUP/cgroup.procs"; exec /bin/sh -c "$SHIM" tandem-role "$STATE" /bin/sh -c "$SCRIPT"';
  const env = { PATH: process.env['PATH'], CGROUP: cgroup ?? '', SHIM: shimScript, STATE: state, SCRIPT: script };
  const shim = spawn('/bin/sh', ['-c', enter], { env, stdio: 'ignore' });
  await once(shim, 'exit');
  return await readRoleState(state, trainer, Date.now);
}

it('tells a program that the kernel killed for want of memory from one that somebody killed', async ({ skip }) => {
  skip(cgroup === null, 'needs the right to make a cgroup');
  expect(await runShim('kill -9 $$')).toMatchObject({ state: 'exited', exitCode: 137 });
  expect(existsSync(join(state, 'out-of-memory'))).toBe(false);
  rmSync(state, { recursive: true });
  mkdirSync(state);
  const greedy = 'const all = []; for (let i = 0; i < 64; i++) all.push(Buffer.alloc(2 ** 23, 1));';
  const seen = await runShim(`exec '${process.execPath}' -e '${greedy}'`);
  expect(seen).toMatchObject({ state: 'exited', exitCode: 137, outOfMemory: true });
});
