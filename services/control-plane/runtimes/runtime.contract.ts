import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readPrinted } from './kept-output.ts';
import {
  type ObservedRole,
  type RoleIdentity,
  type RoleOutput,
  type RoleSpec,
  type Runtime,
  roleName,
} from './runtime.ts';

export interface RuntimeUnderTest {
  runtime: Runtime;
  /** A second control plane's view of the same machine, as after a restart. */
  reopen(): Runtime;
  /** The command that runs a POSIX shell script under this runtime. */
  shell(script: string): string[];
  cleanUp(): Promise<void>;
}

/** A role that asks for nothing special. */
export const plainRole = {
  env: {},
  files: {},
  image: null,
  inputs: [],
  gpus: [],
  epoch: null,
  shmGib: 0.0625,
  health: null,
} as const satisfies Partial<RoleSpec>;

/** What every runtime promises, with real programs. */
export function runtimeContract(name: string, create: () => Promise<RuntimeUnderTest>): void {
  describe(`${name} keeps the runtime's contract`, () => {
    let under: RuntimeUnderTest;
    const trainer: RoleIdentity = { run: 'run-00000001', attempt: 1, role: 'trainer', start: 1 };

    const start = (script: string, identity = trainer, files: Record<string, string> = {}) =>
      under.runtime.start({
        ...plainRole,
        identity,
        command: under.shell(script),
        env: { TANDEM_ATTEMPT_ID: 'x' },
        files,
      });
    const look = async (identity = trainer, runtime = under.runtime): Promise<ObservedRole | undefined> =>
      (await runtime.observe()).find((role) => roleName(role.identity) === roleName(identity));
    const until = async (wanted: (role: ObservedRole | undefined) => boolean, identity = trainer) => {
      for (;;) {
        const role = await look(identity);
        if (wanted(role)) return role;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    const isRunning = (role: ObservedRole | undefined) => role?.state === 'running';
    const hasExited = (role: ObservedRole | undefined) => role?.state === 'exited';

    beforeEach(async () => {
      under = await create();
    });
    afterEach(async () => {
      for (const { identity, state } of await under.runtime.observe()) {
        if (state === 'running') await under.runtime.signal(identity, 'KILL');
      }
      await under.cleanUp();
    });

    it('sees nothing before a start', async () => {
      expect(await under.runtime.observe()).toEqual([]);
    });

    it('tells the exit code of a program that ended by itself', async () => {
      await start('exit 68');
      expect(await until(hasExited)).toMatchObject({ identity: trainer, state: 'exited', exitCode: 68 });
    });

    it('tells 128 + n for a program that signal n ended', async () => {
      await start('sleep 60');
      await until(isRunning);
      await under.runtime.signal(trainer, 'KILL');
      expect(await until(hasExited)).toMatchObject({ exitCode: 137 });
    });

    it('lets a program end on TERM as it likes', async () => {
      await start('trap "exit 7" TERM; echo set; while :; do sleep 0.05; done');
      while (!(await under.runtime.output(trainer, 100)).includes('set')) await look();
      await until(isRunning);
      await under.runtime.signal(trainer, 'TERM');
      expect(await until(hasExited)).toMatchObject({ exitCode: 7 });
    });

    it('kills the children of a program with it', async () => {
      await start('(while :; do echo x; sleep 0.02; done) & wait');
      while ((await under.runtime.output(trainer, 1e6)).length < 4) await look();
      await until(isRunning);
      await under.runtime.signal(trainer, 'KILL');
      await until(hasExited);
      const printed = await under.runtime.output(trainer, 1e6);
      await new Promise((resolve) => setTimeout(resolve, 150));
      expect(await under.runtime.output(trainer, 1e6)).toBe(printed);
    });

    it('starts an identity once, however often it is asked', async () => {
      await Promise.all([1, 2, 3].map(() => start('echo once; sleep 60')));
      await until(isRunning);
      while ((await under.runtime.output(trainer, 1000)) === '') await look();
      await start('echo twice');
      await under.runtime.signal(trainer, 'KILL');
      await until(hasExited);
      await start('echo thrice');
      await until(hasExited);
      expect(await under.runtime.output(trainer, 1000)).toBe('once\n');
    });

    it('finds running and ended programs again after a restart of the control plane', async () => {
      const inference: RoleIdentity = { ...trainer, role: 'inference' };
      await start('sleep 60');
      await start('exit 3', inference);
      await until(isRunning);
      await until(hasExited, inference);
      const roles = await under.reopen().observe();
      expect(roles.map(({ identity, state, exitCode }) => [roleName(identity), state, exitCode]).sort()).toEqual([
        ['run-00000001.a1.inference', 'exited', 3],
        ['run-00000001.a1.trainer', 'running', null],
      ]);
    });

    it('keeps the second start of a role apart from the first', async () => {
      const inference: RoleIdentity = { ...trainer, role: 'inference' };
      const again: RoleIdentity = { ...inference, start: 2 };
      await start('exit 1', inference);
      await start('exit 2', again);
      expect(await until(hasExited, inference)).toMatchObject({ exitCode: 1 });
      expect(await until(hasExited, again)).toMatchObject({ exitCode: 2 });
    });

    it('ignores a signal to a program that has ended or never was', async () => {
      await under.runtime.signal(trainer, 'KILL');
      await start('exit 0');
      await until(hasExited);
      await under.runtime.signal(trainer, 'TERM');
      expect(await look()).toMatchObject({ exitCode: 0 });
    });

    it('refuses to remove a running program', async () => {
      await start('sleep 60');
      await until(isRunning);
      await expect(under.runtime.remove(trainer)).rejects.toThrow(/still runs/);
    });

    /** What there is to be read of the only role. */
    const printed = async () => {
      const [output, ...others] = await under.runtime.outputs(trainer.run);
      expect(others).toEqual([]);
      expect(output?.identity).toEqual(trainer);
      const { bytes } = await readPrinted(output as RoleOutput, 0, 1e6);
      return { bytes: bytes.toString('utf8'), ended: output?.ended };
    };

    it('forgets a removed program and its files but keeps what it printed until the run is deleted', async () => {
      await start('echo last words; exit 1', trainer, { token: 'secret' });
      await until(hasExited);
      expect(await under.runtime.output(trainer, 1000)).toBe('last words\n');
      expect((await printed()).bytes).toBe('last words\n');
      await under.runtime.remove(trainer);
      await under.runtime.remove(trainer);
      await under.runtime.removeShared(trainer);
      expect(await look()).toBeUndefined();
      expect(await under.runtime.readFile(trainer, 'token')).toBeNull();
      expect(await printed()).toEqual({ bytes: 'last words\n', ended: true });
      expect(await under.runtime.outputs('run-00000002')).toEqual([]);
      expect(await under.runtime.output(trainer, 6)).toBe('words\n');
    });

    it('keeps the first and the last lines of a program that prints too much', async () => {
      await start('echo first words; head -c 20000000 /dev/zero | tr "\\0" "x" | fold -w 99; echo; echo last words');
      await until(hasExited);
      expect(await under.runtime.output(trainer, 20)).toContain('\nlast words\n');
      await under.runtime.remove(trainer);
      const output = await under.runtime.output(trainer, 1e9);
      expect(output.length).toBeLessThan(9_000_000);
      expect(output).toMatch(/^first words\n/);
      expect(output).toMatch(/\n\.\.\. \d+ bytes are left out here/);
      expect(output).toMatch(/\nlast words\n$/);
    });

    it('forgets what the removed programs of a run have printed when it is told to', async () => {
      await start('echo words');
      await until(hasExited);
      await under.runtime.remove(trainer);
      await under.runtime.forgetOutput(trainer.run);
      expect(await under.runtime.output(trainer, 100)).toBe('');
    });

    it('gives a program its files, its variables and none of the secrets of the control plane', async () => {
      await start('ls -l token; cat token; echo; env', trainer, { token: 'secret' });
      await until(hasExited);
      const output = await under.runtime.output(trainer, 10_000);
      expect(output).toMatch(/^-rw------- /);
      expect(output).toContain('\nsecret\n');
      expect(output).toContain('TANDEM_ATTEMPT_ID=x');
      expect(output).not.toContain('TANDEM_API_KEY');
    });

    it('shows what a trainer puts into the shared directory to its inference server', async () => {
      const server: RoleIdentity = { ...trainer, role: 'inference' };
      const shared = under.runtime.sharedDirectory(trainer);
      await start(`until cat '${shared}/x'; do sleep 0.05; done`, server);
      await start(`echo hello > '${shared}/y' && mv '${shared}/y' '${shared}/x'`);
      expect(await until(hasExited, server)).toMatchObject({ exitCode: 0 });
      expect(await under.runtime.output(server, 1000)).toMatch(/hello\n$/);
    });

    it('says which attempts share something until that is removed', async () => {
      expect(await under.runtime.listShared()).toEqual([]);
      await start('exit 0');
      await until(hasExited);
      expect(await under.runtime.listShared()).toEqual([{ run: trainer.run, attempt: 1 }]);
      await under.runtime.remove(trainer);
      await under.runtime.removeShared(trainer);
      expect(await under.runtime.listShared()).toEqual([]);
    });

    it('hands over a file of the workspace, of a running program and of an ended one', async () => {
      const read = async (name: string) => {
        const path = await under.runtime.fetchFile(trainer, name);
        return path && readFileSync(path, 'utf8');
      };
      await start('echo one > note; sleep 0.3; echo two >> note');
      await until(isRunning);
      while ((await read('note')) === null) await look();
      await until(hasExited);
      expect(await read('note')).toBe('one\ntwo\n');
      expect(await under.runtime.readFile(trainer, 'note')).toBe('one\ntwo\n');
      expect(await read('none')).toBeNull();
    });

    it('shows a role its inputs, files and directories', async () => {
      const inputs = mkdtempSync(join(tmpdir(), 'tandem-inputs-'));
      try {
        mkdirSync(join(inputs, 'model/deep'), { recursive: true });
        writeFileSync(join(inputs, 'model/deep/weights'), 'weights\n');
        writeFileSync(join(inputs, 'train.jsonl'), 'lines\n');
        const paths = [join(inputs, 'model'), join(inputs, 'train.jsonl')];
        const [model, data] = paths.map((path) => under.runtime.seenAt(path));
        const command = under.shell(`cat '${model}/deep/weights' '${data}'`);
        await under.runtime.start({ ...plainRole, identity: trainer, command, inputs: paths });
        expect(await until(hasExited)).toMatchObject({ exitCode: 0 });
        expect(await under.runtime.output(trainer, 1000)).toBe('weights\nlines\n');
      } finally {
        rmSync(inputs, { recursive: true });
      }
    });

    it('shows a role with a program what that imports, where it looks for it', async () => {
      const inputs = mkdtempSync(join(tmpdir(), 'tandem-inputs-'));
      try {
        mkdirSync(join(inputs, 'lib'));
        writeFileSync(join(inputs, 'score.mjs'), "import './lib/words.mjs';\n");
        writeFileSync(join(inputs, 'lib/words.mjs'), "import '../more.mjs';\n");
        writeFileSync(join(inputs, 'more.mjs'), '// more\n');
        const program = join(inputs, 'score.mjs');
        const seen = dirname(under.runtime.seenAt(program));
        const command = under.shell(`cat '${seen}/score.mjs' '${seen}/lib/words.mjs' '${seen}/more.mjs'`);
        await under.runtime.start({ ...plainRole, identity: trainer, command, inputs: [program] });
        expect(await until(hasExited)).toMatchObject({ exitCode: 0 });
        const output = "import './lib/words.mjs';\nimport '../more.mjs';\n// more\n";
        expect(await under.runtime.output(trainer, 1000)).toBe(output);
      } finally {
        rmSync(inputs, { recursive: true });
      }
    });

    it('says that a server does not serve while nothing answers', async () => {
      const server: RoleIdentity = { ...trainer, role: 'inference' };
      expect(await under.runtime.serving(server)).toBeNull();
      await start('sleep 60', server);
      await until(isRunning, server);
      expect(await under.runtime.serving(server)).toBeNull();
    });
  });
}
