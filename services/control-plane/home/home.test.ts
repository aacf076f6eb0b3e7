import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHomeFile, saveHomeFile } from './home-file.ts';
import { HomeLockedError, lockHome } from './home-lock.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tandem-home-'));
});
afterEach(() => rmSync(home, { recursive: true }));

describe('lockHome', () => {
  it('is taken once and can be taken again after its release', () => {
    const lock = lockHome(home);
    expect(() => lockHome(home)).toThrow(HomeLockedError);
    expect(() => lockHome(home)).toThrow(`(pid ${process.pid}) uses ${home}`);
    lock.release();
    lockHome(home).release();
  });

  it('is refused while another process holds it and is free once that one was killed', async () => {
    const script = `
      import { DatabaseSync } from '@photostructure/sqlite';
      const lock = new DatabaseSync(${JSON.stringify(join(home, 'lock'))});
      lock.exec('BEGIN IMMEDIATE');
      process.stdout.write('held');
      setInterval(() => lock, 1000);`;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    expect(() => lockHome(home)).toThrow(HomeLockedError);
    holder.kill('SIGKILL');
    await new Promise((resolve) => holder.once('exit', resolve));
    lockHome(home).release();
  });
});

describe('openHomeFile', () => {
  it('keeps the installation and the agent port across starts', async () => {
    const first = await openHomeFile(home);
    await saveHomeFile(home, { ...first, agent_port: 4711 });
    expect(await openHomeFile(home)).toEqual({ ...first, agent_port: 4711 });
    expect(readFileSync(join(home, 'home.json'), 'utf8')).toContain(first.installation);
  });

  it('refuses a damaged file rather than to forget the port that live trainers use', async () => {
    writeFileSync(join(home, 'home.json'), '{"installation":');
    await expect(openHomeFile(home)).rejects.toThrow(/home.json cannot be understood: restore it/);
  });
});
