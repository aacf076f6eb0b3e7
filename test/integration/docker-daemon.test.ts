import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, dirname } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerDaemon, missingDocker, startDockerDaemon } from '../support/docker-daemon/docker-daemon.ts';

const missing = missingDocker();

describe.skipIf(missing)(`A test's own Docker daemon${missing === null ? '' : ` (${missing})`}`, () => {
  let daemon: DockerDaemon;
  let image: string;

  beforeAll(async () => {
    daemon = await startDockerDaemon();
    image = daemon.importBaseImage({ withPython: true });
  });
  afterAll(() => daemon?.close());

  it('runs what tests need out of a base image made of this machine', () => {
    const script =
      'node -p "1 + 1"; echo abcd | tr a-c A-C | fold -w 3 | head -n 1; ls -d /; cat /dev/null; sleep 0; env | grep HOME';
    expect(daemon.docker('run', '--rm', '--user', '2000:0', image, 'sh', '-c', script)).toBe('2\nABC\n/\nHOME=/');
    const python = 'import hashlib, json, ssl, urllib.request; print(json.dumps({"a": 1}))';
    expect(daemon.docker('run', '--rm', image, 'python3', '-c', python)).toBe('{"a": 1}');
  });

  it('lets containers of one network call each other, and servers of this machine that are exposed', async () => {
    const server = createServer((_request, reply) => reply.end('from the machine')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = await daemon.expose((server.address() as AddressInfo).port);
    daemon.docker('network', 'create', 'pair');
    const serve =
      'require("http").createServer((q, r) => r.end("from a container")).listen(8000, () => console.log("on"))';
    daemon.docker('run', '--detach', '--name', 'server', '--network', 'pair', image, 'node', '-e', serve);
    const call = `const text = async (url) => (await fetch(url)).text();
      const retried = (url) => text(url).catch(() => new Promise((on) => setTimeout(on, 20)).then(() => retried(url)));
      Promise.all([retried('${url}'), retried('http://server:8000')]).then((texts) => console.log(texts.join(' and ')));`;
    const run = ['--host', daemon.host, 'run', '--rm', '--network', 'pair', image, 'node', '-e', call];
    const { stdout } = await promisify(execFile)('docker', run);
    expect(stdout).toBe('from the machine and from a container\n');
    server.close();
  });

  it('can be killed and started again, with its containers kept alive or not', async () => {
    const other = await startDockerDaemon({ liveRestore: true });
    try {
      const tag = other.importBaseImage();
      other.docker('run', '--detach', '--init', '--name', 'long', '--network', 'none', tag, 'sleep', 'infinity');
      const pid = () => other.docker('inspect', '--format', '{{.State.Pid}}', 'long');
      const before = pid();
      await other.kill();
      expect(() => other.docker('ps')).toThrow();
      await other.start();
      expect(pid()).toBe(before);
      await other.kill();
      await other.start({ liveRestore: false });
      expect(pid()).toBe('0');
    } finally {
      await other.close();
    }
  });

  it('leaves nothing behind', async () => {
    const other = await startDockerDaemon();
    const tag = other.importBaseImage();
    other.docker('network', 'create', 'some');
    other.docker('run', '--detach', '--network', 'some', '--volume', 'kept:/kept', tag, 'sleep', 'infinity');
    other.docker('pause', other.docker('ps', '--quiet'));
    const directory = dirname(other.socketPath);
    await other.close();
    expect(existsSync(directory)).toBe(false);
    expect(
      execFileSync('sh', [
        '-c',
        `ps -eo args | grep -F '${directory}' | grep -v grep; mount | grep -F '${directory}'; true`,
      ]).toString(),
    ).toBe('');
    expect(execFileSync('ip', ['address'], { encoding: 'utf8' })).not.toContain(`${other.hostAddress}/`);
    const name = basename(directory);
    const groups = ['.', ...readdirSync('/sys/fs/cgroup')].map((group) => `/sys/fs/cgroup/${group}/${name}`);
    expect(groups.filter(existsSync)).toEqual([]);
  });
});
