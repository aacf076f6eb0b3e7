import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { plainRole, type RuntimeUnderTest, runtimeContract } from '../runtime.contract.ts';
import { parseRoleName, type RoleIdentity, type Runtime, roleName } from '../runtime.ts';
import { readBootId, readProcess } from './process-identity.ts';
import { createProcessRuntime } from './process-runtime.ts';

/** A shim may write its exit code meanwhile; `maxRetries` of `rm` would not look for new files. */
async function removeTree(root: string): Promise<void> {
  await vi.waitFor(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }), {
    timeout: 10_000,
    interval: 20,
  });
}

const trainer: RoleIdentity = { run: 'run-00000001', attempt: 1, role: 'trainer', start: 1 };

function open(root: string): Runtime {
  return createProcessRuntime({
    work: join(root, 'work'),
    kept: join(root, 'output'),
    environment: { ...process.env, TANDEM_API_KEY: 'do not tell', TANDEM_TF_AHEAD: '0' },
    isHealthy: async (url) => (await fetch(url)).ok,
    now: Date.now,
  });
}

async function create(): Promise<RuntimeUnderTest> {
  const root = mkdtempSync(join(tmpdir(), 'tandem-runtime-'));
  return {
    runtime: open(root),
    reopen: () => open(root),
    shell: (script) => ['/bin/sh', '-c', script],
    cleanUp: () => removeTree(root),
  };
}

runtimeContract('the process runtime', create);

describe('the process runtime', () => {
  let root: string;
  let runtime: Runtime;
  const state = () => join(root, 'work/run-00000001/a1/trainer/.role');
  const identityFile = (name: string) => readFileSync(join(state(), name), 'utf8').trim().split(' ');
  const look = async () => (await runtime.observe())[0];
  const start = (script: string) =>
    runtime.start({ ...plainRole, identity: trainer, command: ['/bin/sh', '-c', script] });

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tandem-runtime-'));
    runtime = open(root);
  });
  afterEach(async () => {
    await runtime.signal(trainer, 'KILL');
    await removeTree(root);
  });

  it('never signals a later process that has the number of an ended one', async () => {
    await mkdir(join(state(), 'started'), { recursive: true });
    const self = readProcess(process.pid);
    writeFileSync(join(state(), 'shim'), `${process.pid} ${self?.startTime} ${readBootId()}\n`);
    writeFileSync(join(state(), 'command'), `${process.pid} 1 ${readBootId()}\n`);
    expect(await look()).toMatchObject({ state: 'running' });
    await runtime.signal(trainer, 'KILL');
    expect(readProcess(process.pid)).toEqual(self);
  });

  it('calls a program lost when it and its shim are gone without an exit code', async () => {
    await start('sleep 60');
    await expect.poll(look).toMatchObject({ state: 'running' });
    process.kill(Number(identityFile('shim')[0]), 'SIGKILL');
    await expect.poll(look).toMatchObject({ state: 'running' });
    await runtime.signal(trainer, 'KILL');
    await expect.poll(look).toMatchObject({ state: 'lost', exitCode: null, rebooted: false });
  });

  it('tells a program how it is to compute', async () => {
    await start('echo "ahead $TANDEM_TF_AHEAD"');
    await expect.poll(look).toMatchObject({ state: 'exited' });
    expect(await runtime.output(trainer, 100)).toBe('ahead 0\n');
  });

  it('says that a program was lost to a reboot', async () => {
    await mkdir(join(state(), 'started'), { recursive: true });
    for (const name of ['shim', 'command']) writeFileSync(join(state(), name), `${process.pid} 1 another-boot\n`);
    expect(await look()).toMatchObject({ state: 'lost', rebooted: true });
  });

  it('keeps an exit code across a reboot', async () => {
    await start('exit 5');
    await expect.poll(look).toMatchObject({ state: 'exited' });
    writeFileSync(join(state(), 'shim'), `${process.pid} 1 another-boot\n`);
    expect(await look()).toMatchObject({ state: 'exited', exitCode: 5 });
  });

  it('writes the exit code although the shim itself got TERM', async () => {
    await start('sleep 0.3; exit 9');
    await expect.poll(look).toMatchObject({ state: 'running' });
    process.kill(Number(identityFile('shim')[0]), 'SIGTERM');
    await expect.poll(look).toMatchObject({ state: 'exited', exitCode: 9 });
  });

  it('bounds the disk space of a program that prints and prints, and loses none of its newest lines', async () => {
    await start(
      'i=0; while :; do i=$((i + 1)); head -c 4000000 /dev/zero | tr "\\0" "x"; echo; echo "line $i"; sleep 0.02; done',
    );
    const path = join(root, 'work/run-00000001/a1/trainer/output.log');
    await expect
      .poll(async () => (await look()) && statSync(path).size, { timeout: 10_000 })
      .toBeGreaterThan(40_000_000);
    await look();
    expect(statSync(path).blocks * 512).toBeLessThan(24_000_000);
    const text = await runtime.output(trainer, 20_000_000);
    const numbers = [...text.matchAll(/line (\d+)/g)].map(([, number]) => Number(number));
    expect(numbers).toEqual(numbers.map((_, at) => (numbers[0] as number) + at));
  });

  it('ignores directories that are not its own', async () => {
    await mkdir(join(root, 'work/run-00000001/model'), { recursive: true });
    await mkdir(join(root, 'work/notes/a1/trainer/.role/started'), { recursive: true });
    expect(await runtime.observe()).toEqual([]);
  });
});

describe('role names', () => {
  it('parse back to what they were made from', () => {
    for (const identity of [trainer, { ...trainer, role: 'inference' as const, start: 12, attempt: 30 }]) {
      expect(parseRoleName(roleName(identity))).toEqual(identity);
    }
  });

  it('that are not ours parse to null', () => {
    for (const name of ['run-00000001.a1', 'run-00000001.a1.trainer.1', 'x.a1.trainer', 'run-00000001.a1.web', '']) {
      expect(parseRoleName(name)).toBeNull();
    }
  });
});
