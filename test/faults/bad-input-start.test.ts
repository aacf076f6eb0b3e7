import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failedStart } from '../support/failed-start.ts';
import { mountSmallDisk, noMounts, type SmallDisk } from '../support/small-disk.ts';
import { startTandem } from '../support/tandem.ts';

const EXIT_USAGE = 64;
const EXIT_UNAVAILABLE = 69;
let directory: string;
let disk: SmallDisk | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-start-'));
});
afterEach(() => {
  disk?.dispose();
  disk = undefined;
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

/** One line that names the cause, the place and the remedy; no stack trace, and no address that is served. */
async function expectRefusal(env: Record<string, string>, code: number, ...parts: string[]): Promise<void> {
  const start = await failedStart(directory, env);
  expect(start.printed).toMatch(/^tandem: [^\n]+\n$/);
  for (const part of parts) expect(start.printed).toContain(part);
  expect(start.code).toBe(code);
}
const home = (name = ''): string => join(directory, 'home', name);
const putHome = (name: string, content: string | Buffer): void => {
  mkdirSync(home(), { recursive: true });
  writeFileSync(home(name), content);
};

test('arguments are refused and not repeated', async () => {
  for (const given of ['--help', '--api-key=a-secret']) {
    const { printed, code } = await failedStart(directory, {}, [given]);
    expect(printed).toBe(
      'tandem: the control plane takes no arguments: set environment variables, or lines of a file .env, such as PORT=8080; .env.example lists them all\n',
    );
    expect(code).toBe(EXIT_USAGE);
  }
  expect(existsSync(home())).toBe(false);
});

describe('directories', () => {
  test('a home that is a file, or lies below one, is named', async () => {
    writeFileSync(join(directory, 'file'), 'mine');
    const file = join(directory, 'file');
    const remedy = `TANDEM_HOME: ${file} is a file, not a directory; move it away or choose another directory`;
    await expectRefusal({ TANDEM_HOME: file }, EXIT_UNAVAILABLE, remedy);
    await expectRefusal({ TANDEM_HOME: join(file, 'below') }, EXIT_UNAVAILABLE, remedy);
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  test('outputs that are a file are named', async () => {
    const file = join(directory, 'file');
    writeFileSync(file, 'mine');
    await expectRefusal({ TANDEM_OUTPUTS: file }, EXIT_UNAVAILABLE, `TANDEM_OUTPUTS: ${file} is a file`);
  });

  test.skipIf(noMounts)(`a read-only home and read-only outputs are named (${noMounts ?? 'root'})`, async () => {
    disk = mountSmallDisk('1m');
    disk.readOnly();
    const why = `${disk.path}: the file system is read-only; mount it for writing, or choose another directory`;
    await expectRefusal({ TANDEM_HOME: join(disk.path, 'home') }, EXIT_UNAVAILABLE, `TANDEM_HOME: ${why}`);
    await expectRefusal({ TANDEM_HOME: disk.path }, EXIT_UNAVAILABLE, `TANDEM_HOME: ${why}`);
    await expectRefusal({ TANDEM_OUTPUTS: join(disk.path, 'outputs') }, EXIT_UNAVAILABLE, `TANDEM_OUTPUTS: ${why}`);
  });

  test.skipIf(noMounts)(`a full home is named, and starts once there is space (${noMounts ?? 'root'})`, async () => {
    disk = mountSmallDisk('4m');
    disk.fill();
    const env = { TANDEM_HOME: join(disk.path, 'home') };
    await expectRefusal(env, EXIT_UNAVAILABLE, `TANDEM_HOME: ${env.TANDEM_HOME}: the disk is full; free space on it`);
    disk.free();
    await (await startTandem(env)).dispose();
  });
});

describe('what a home holds', () => {
  test('a database that is none, is cut off or is a directory is left as it is, with the way out', async () => {
    putHome('tandem.db', 'no database at all');
    const remedy = 'move it and its -wal file aside or restore a copy';
    await expectRefusal({}, EXIT_UNAVAILABLE, home('tandem.db'), 'file is not a database', remedy);
    expect(readFileSync(home('tandem.db'), 'utf8')).toBe('no database at all');

    rmSync(home(), { recursive: true });
    await makeHome();
    truncateSync(home('tandem.db'), 20_000);
    await expectRefusal({}, EXIT_UNAVAILABLE, home('tandem.db'), remedy);

    rmSync(home(), { recursive: true });
    mkdirSync(home('tandem.db'), { recursive: true });
    await expectRefusal({}, EXIT_UNAVAILABLE, home('tandem.db'), remedy);
  });

  test('a database of a newer build is left as it is', async () => {
    await makeHome();
    const db = new DatabaseSync(home('tandem.db'));
    db.exec('PRAGMA user_version = 999');
    db.close();
    await expectRefusal({}, EXIT_UNAVAILABLE, 'has version 999', 'start the newer build', 'another TANDEM_HOME');
  });

  test('a home.json that cannot be understood and a lock that is none are named', async () => {
    putHome('home.json', '{"installation":');
    await expectRefusal({}, EXIT_UNAVAILABLE, `${home('home.json')} cannot be understood: restore it`);
    rmSync(home('home.json'));
    putHome('lock', 'something of somebody else, which is longer than a header');
    await expectRefusal({}, EXIT_UNAVAILABLE, home('lock'), 'when none is running, remove it');
  });

  test('a second control plane is told who holds the home, and the first goes on', async () => {
    const first = await startTandem();
    try {
      const pid = first.process().pid;
      const remedy = 'stop it, or give this one another TANDEM_HOME';
      await expectRefusal({ TANDEM_HOME: first.home }, EXIT_UNAVAILABLE, `(pid ${pid}) uses ${first.home}`, remedy);
      expect(await first.get('/readyz')).toMatchObject({ status: 'ready' });
    } finally {
      await first.dispose();
    }
  });

  async function makeHome(): Promise<void> {
    await (await startTandem({ TANDEM_HOME: home() })).dispose();
  }
});

describe('addresses', () => {
  test('a port in use is named, for the API and for trainers', async () => {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as { port: number };
    try {
      await expectRefusal({ PORT: String(port) }, EXIT_UNAVAILABLE, `port ${port} is taken`, 'another with PORT');
      const agent = { TANDEM_AGENT_ADDR: `127.0.0.1:${port}` };
      await expectRefusal(agent, EXIT_UNAVAILABLE, `TANDEM_AGENT_ADDR: port ${port} is taken`, 'choose another');
    } finally {
      server.close();
    }
  });

  test('an address that this machine does not have is named', async () => {
    const key = { TANDEM_API_KEY: 'a-key-of-enough-letters' };
    for (const address of ['192.0.2.1', 'no-such-name.invalid'])
      await expectRefusal({ ...key, TANDEM_ADDR: address }, EXIT_UNAVAILABLE, `${address} is not an address of this`);
  });
});

test('every setting that is wrong is named in one line', async () => {
  const env = { PORT: 'http', TANDEM_SLOTS: '0', TANDEM_API_KEY: 'short', VERBOSE: 'perhaps' };
  await expectRefusal(env, EXIT_USAGE, 'PORT: ', 'TANDEM_SLOTS: ', 'TANDEM_API_KEY: ', 'VERBOSE: ');
  const open = await failedStart(directory, { TANDEM_ADDR: '0.0.0.0' });
  expect(open).toMatchObject({ code: EXIT_USAGE, printed: expect.stringContaining('set TANDEM_API_KEY as well') });
});
