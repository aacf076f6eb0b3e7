import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { extract, pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createDockerEngine } from '../../services/control-plane/runtimes/docker/engine/create-docker-engine.ts';
import type { DockerEngine } from '../../services/control-plane/runtimes/docker/engine/docker-engine.ts';
import { DockerError } from '../../services/control-plane/runtimes/docker/engine/docker-error.ts';
import type { ContainerBody } from '../../services/control-plane/runtimes/docker/engine/engine-types.ts';
import { createOutputCollector } from '../../services/control-plane/runtimes/docker/engine/output-collector.ts';
import type { PullProgress } from '../../services/control-plane/runtimes/docker/engine/pull-progress.ts';
import type { EngineEvent } from '../../services/control-plane/runtimes/docker/engine/watch-events.ts';
import { dockerCaller } from '../support/docker-call.ts';
import {
  type DockerDaemon,
  importBaseImage,
  missingDocker,
  startDockerDaemon,
} from '../support/docker-daemon/docker-daemon.ts';

const registryMain = resolve(import.meta.dirname, '../../dist/test/support/tiny-registry-main.js');
const given = process.env['TANDEM_DOCKER_HOST'];
const missing = given === undefined ? missingDocker() : null;
let daemon: DockerDaemon | undefined;
let socketPath: string;
let engine: DockerEngine;
let image: string;
const mark = `tandem-test-${randomBytes(4).toString('hex')}`;
const labels = { 'dev.tandem.test': mark };
const endless = () => new AbortController().signal;

const sh = (script: string, rest: Partial<ContainerBody> = {}): ContainerBody => ({
  Image: image,
  Entrypoint: ['/bin/sh', '-c'],
  Cmd: [script],
  Labels: labels,
  ...rest,
});
let counter = 0;
const newName = () => `${mark}-${++counter}`;

async function run(script: string, rest: Partial<ContainerBody> = {}): Promise<string> {
  const { id } = await engine.createContainer(newName(), sh(script, rest));
  await engine.startContainer(id);
  return id;
}

async function ended(id: string): Promise<number> {
  const { exited } = await engine.waitForExit({ container: id, condition: 'not-running', signal: endless() });
  return (await exited).exitCode;
}

async function printed(id: string): Promise<string> {
  let all = '';
  for await (const frames of engine.followLogs({ container: id, signal: endless() }))
    for (const { stream, payload } of frames) all += `${stream}: ${payload}`;
  return all;
}

describe.skipIf(missing !== null)(`a real Docker daemon ${missing ?? ''}`, { timeout: 60_000 }, () => {
  beforeAll(async () => {
    daemon = given === undefined ? await startDockerDaemon() : undefined;
    const host = daemon?.host ?? (given as string);
    socketPath = host.replace('unix://', '');
    engine = createDockerEngine({ socketPath });
    image = importBaseImage(host);
  });
  afterAll(async () => {
    for (const { id } of await engine.listContainers(labels)) await engine.removeContainer(id, { force: true });
    for (const { id } of await engine.listNetworks(labels)) await engine.removeNetwork(id);
    for (const { name } of await engine.listVolumes(labels)) await engine.removeVolume(name);
    await daemon?.close();
  });

  it('says who it is', async () => {
    await engine.ping();
    const [info, version] = [await engine.info(), await engine.version()];
    expect(info).toMatchObject({
      id: expect.stringMatching(/./),
      cpus: expect.any(Number),
      liveRestore: expect.any(Boolean),
    });
    expect(info.runtimes).toContain('runc');
    expect(Number(version.apiVersion)).toBeGreaterThanOrEqual(1.41);
  });

  it('answers null for what is not there, and does nothing to it', async () => {
    expect(await engine.inspectContainer(newName())).toBeNull();
    expect(await engine.inspectImage(`${mark}:other`)).toBeNull();
    expect(await engine.inspectNetwork(mark)).toBeNull();
    expect(await engine.getArchive(newName(), '/bin')).toBeNull();
    await engine.killContainer(newName(), 'KILL');
    await engine.removeContainer(newName());
    await engine.removeNetwork(newName());
    await engine.removeVolume(newName());
    await expect(engine.startContainer(newName())).rejects.toMatchObject({ kind: 'not_found', status: 404 });
    await expect(engine.createContainer(newName(), { ...sh(''), Image: `${mark}:other` })).rejects.toMatchObject({
      kind: 'not_found',
    });
    expect((await engine.inspectImage(image))?.id).toMatch(/^sha256:/);
  });

  it('creates a name once, starts once, kills and removes as often as it is asked to', async () => {
    const name = newName();
    const { id } = await engine.createContainer(name, sh('sleep 60', { Env: ['A=b'] }));
    await expect(engine.createContainer(name, sh(''))).rejects.toMatchObject({ kind: 'name_taken', status: 409 });
    expect(await engine.inspectContainer(name)).toMatchObject({
      id,
      name,
      labels,
      state: { status: 'created', startedAt: null },
    });
    expect(await engine.listContainers(labels)).toContainEqual({ id, name, labels, state: 'created' });
    await engine.killContainer(name, 'TERM');
    await engine.startContainer(id);
    await engine.startContainer(id);
    expect((await engine.inspectContainer(id))?.state).toMatchObject({ running: true, finishedAt: null, health: null });
    await expect(engine.removeContainer(id)).rejects.toMatchObject({ kind: 'conflict' });
    await engine.killContainer(id, 'KILL');
    expect(await ended(id)).toBe(137);
    await engine.killContainer(id, 'KILL');
    await Promise.all([1, 2, 3].map(() => engine.removeContainer(id, { force: true })));
    expect(await engine.inspectContainer(id)).toBeNull();
  });

  it('takes a tar into a container that never ran, and gives files back from one that ended', async () => {
    const { id } = await engine.createContainer(
      newName(),
      sh('/bin/stat -c "%u:%g %a" /given; cat /given/hello > /back'),
    );
    const tar = pack();
    tar.entry({ name: 'given', type: 'directory', uid: 2000, gid: 0, mode: 0o750 });
    tar.entry({ name: 'given/hello', uid: 2000, gid: 0, mode: 0o640 }, 'hello there');
    tar.finalize();
    await engine.putArchive(id, '/', tar);
    await engine.startContainer(id);
    expect(await ended(id)).toBe(0);
    expect(await printed(id)).toBe('stdout: 2000:0 750\n');
    const back = (await engine.getArchive(id, '/back')) ?? expect.fail();
    const files: string[] = [];
    for await (const entry of back.pipe(extract())) files.push(`${entry.header.name} ${await text(entry)}`);
    expect(files).toEqual(['back hello there']);
    expect(await engine.getArchive(id, '/nothing')).toBeNull();
    const other = pack();
    other.finalize();
    await expect(engine.putArchive(id, '/nothing', other)).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('keeps networks apart by name and by subnet, and connects once', async () => {
    const body = {
      Name: mark,
      Internal: true,
      Labels: labels,
      IPAM: { Config: [{ Subnet: '10.219.83.0/28', Gateway: '10.219.83.1' }] },
    };
    const { id } = await engine.createNetwork(body);
    await expect(engine.createNetwork(body)).rejects.toMatchObject({ kind: 'name_taken' });
    await expect(engine.createNetwork({ ...body, Name: `${mark}-2` })).rejects.toMatchObject({ kind: 'overlap' });
    expect(await engine.listNetworks(labels)).toEqual([
      {
        id,
        name: mark,
        labels,
        driver: 'bridge',
        internal: true,
        subnets: [{ subnet: '10.219.83.0/28', gateway: '10.219.83.1' }],
      },
    ]);
    // A daemon without a default bridge never frees an endpoint of a container that names no network.
    await engine.createNetwork({ ...body, Name: `${mark}-2`, IPAM: { Config: [{ Subnet: '10.219.83.16/28' }] } });
    const container = await run('sleep 60', { HostConfig: { NetworkMode: `${mark}-2` } });
    await engine.connectNetwork(mark, container, { Aliases: ['inference'] });
    await engine.connectNetwork(mark, container, { Aliases: ['inference'] });
    expect((await engine.inspectContainer(container))?.networks[mark]?.address).toMatch(/^10\.219\.83\./);
    await expect(engine.removeNetwork(mark)).rejects.toMatchObject({ kind: 'conflict' });
    await engine.removeContainer(container, { force: true });
    // The daemon lets go of the endpoint of a killed container a moment after it is removed.
    for (const name of [mark, `${mark}-2`]) await vi.waitFor(() => engine.removeNetwork(name), 5000);
    expect(await engine.listNetworks(labels)).toEqual([]);
  });

  it('keeps a volume while a container has it', async () => {
    const created = await engine.createVolume({ Name: mark, Labels: labels });
    expect(await engine.createVolume({ Name: mark, Labels: labels })).toEqual(created);
    expect(await engine.listVolumes(labels)).toEqual([created]);
    const mounts = [{ Type: 'volume' as const, Source: mark, Target: '/kept' }];
    const { id } = await engine.createContainer(newName(), sh('', { HostConfig: { Mounts: mounts } }));
    expect((await engine.inspectContainer(id))?.mounts).toMatchObject([
      { name: mark, destination: '/kept', writable: true },
    ]);
    await expect(engine.removeVolume(mark)).rejects.toMatchObject({ kind: 'conflict' });
    await engine.removeContainer(id);
    await engine.removeVolume(mark);
    expect(await engine.listVolumes(labels)).toEqual([]);
  });

  it('does not repeat the environment of a container in an error', async () => {
    const body = sh('', { Env: ['=only-a-secret-value'] });
    const error: unknown = await engine.createContainer(newName(), body).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DockerError);
    expect(String(error)).not.toContain('only-a-secret-value');
  });

  it('has taken note of a wait before the start, so that no end is missed however fast it comes', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { id } = await engine.createContainer(newName(), sh(`exit ${round}`));
      const { exited } = await engine.waitForExit({ container: id, condition: 'next-exit', signal: endless() });
      await engine.startContainer(id);
      expect(await exited).toEqual({ exitCode: round, error: null });
    }
  });

  it('breaks a wait off with its signal, and leaves the container alone', async () => {
    const id = await run('sleep 60');
    const given = new AbortController();
    const { exited } = await engine.waitForExit({ container: id, condition: 'not-running', signal: given.signal });
    given.abort(new Error('enough'));
    await expect(exited).rejects.toThrow('enough');
    expect((await engine.inspectContainer(id))?.state.running).toBe(true);
    await engine.removeContainer(id, { force: true });
  });

  it('gives a log in order, with both streams, while the container prints it', async () => {
    const id = await run('seq 1 1000; sleep 0.2; echo wrong >&2; sleep 0.2; echo right');
    const lines = Array.from({ length: 1000 }, (_, line) => `stdout: ${line + 1}\n`).join('');
    expect(await printed(id)).toBe(`${lines}stderr: wrong\nstdout: right\n`);
  });

  it('goes on with a log from a timestamp, to the nanosecond', async () => {
    const id = await run('seq 1 100');
    await ended(id);
    const read = async (since?: string) => {
      const lines: string[] = [];
      const options = { container: id, timestamps: true, follow: false, signal: endless(), since };
      for await (const frames of engine.followLogs(options))
        lines.push(...frames.map(({ payload }) => String(payload)));
      return lines;
    };
    const all = await read();
    const from = all.findIndex((line) => line.startsWith((all[50] as string).slice(0, 30)));
    expect(all).toHaveLength(100);
    expect(await read((all[50] as string).slice(0, 30))).toEqual(all.slice(from));
  });

  it('tells events once each, and says that all has to be looked at first', async () => {
    const given = new AbortController();
    const seen: EngineEvent[] = [];
    let resyncs = 0;
    const watching = engine.watchEvents({
      filters: { type: ['container'], label: [`dev.tandem.test=${mark}`] },
      onEvent: (event) => seen.push(event),
      onResync: () => {
        resyncs += 1;
      },
      signal: given.signal,
    });
    await expect.poll(() => resyncs).toBe(1);
    const id = await run('exit 3');
    await expect.poll(() => seen.filter((event) => event.id === id).map(({ action }) => action)).toContain('die');
    given.abort();
    await watching;
    const mine = seen.filter((event) => event.id === id);
    expect(mine.map(({ action }) => action)).toEqual(['create', 'start', 'die']);
    expect(mine[2]?.attributes['exitCode']).toBe('3');
    expect(mine.every(({ timeNano }) => /^\d{19}$/.test(timeNano))).toBe(true);
  });

  it('pulls an image with its progress, and says when a registry does not have it', async () => {
    const [program = process.execPath, ...args] = [...(daemon?.enter ?? []), process.execPath, registryMain, '100'];
    const registry = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const host = String((await once(registry.stdout, 'data'))[0]).trim();
      const seen: PullProgress[] = [];
      const pull = (name: string) =>
        engine.pullImage({ reference: `${host}/${name}`, onProgress: (now) => seen.push(now), signal: endless() });
      await expect(pull('tiny:other')).rejects.toMatchObject({ kind: 'not_found' });
      expect(seen.at(-1)?.layers ?? 0).toBe(0);
      const pulled = await pull('tiny:1');
      expect(pulled).toMatchObject({ entrypoint: ['/first'], user: '2000', tags: [`${host}/tiny:1`] });
      const [last] = seen.slice(-1);
      expect(last).toMatchObject({ layers: 2, layersDone: 2, totalIsFinal: true });
      expect(last?.totalBytes).toBeGreaterThan(4 << 20);
      expect([last?.downloadedBytes, last?.extractedBytes]).toEqual([last?.totalBytes, last?.totalBytes]);
      expect(seen.some(({ downloadedBytes, totalBytes }) => downloadedBytes > 0 && downloadedBytes < totalBytes)).toBe(
        true,
      );
      const digest = pulled.digests[0]?.split('@')[1];
      expect((await pull(`tiny@${digest}`)).id).toBe(pulled.id);
      expect((await engine.inspectImage(`${host}/tiny:any@${digest}`))?.id).toBe(pulled.id);
      await dockerCaller(socketPath).call('DELETE', `/images/${pulled.id}?force=1`);
    } finally {
      registry.kill();
    }
  });

  it('says when an image cannot be pulled', async () => {
    const pull = engine.pullImage({ reference: '127.0.0.1:9/nothing:here', signal: endless() });
    await expect(pull).rejects.toMatchObject({ name: 'DockerError', kind: 'failed' });
  });

  it.each([
    'json-file',
    'local',
  ])('keeps all that was printed through restarts of who collects it, with the log driver %s', async (Type) => {
    const directory = await mkdtemp(join(tmpdir(), 'collected-'));
    const path = join(directory, 'run', 'role.log');
    const script =
      'for i in $(seq 1 40); do seq $((i * 1000)) $((i * 1000 + 999)); echo "wrong $i" >&2; sleep 0.2; done';
    const { id } = await engine.createContainer(newName(), sh(script, { HostConfig: { LogConfig: { Type } } }));
    const { exited } = await engine.waitForExit({ container: id, condition: 'next-exit', signal: endless() });
    await engine.startContainer(id);
    const broken: unknown[] = [];
    const collect = () =>
      createOutputCollector({
        followLogs: engine.followLogs,
        tell: (_, error) => void broken.push(error),
        // Fast enough that it keeps its place between two restarts.
        now: () => performance.now() * 20,
      });
    const round = { over: false };
    void exited.then(() => {
      round.over = true;
    });
    while (!round.over) {
      const collector = collect();
      collector.follow(id, path);
      await delay(700);
      await collector.close();
    }
    await collect().finish(id, path);
    const lines = (await readFile(path, 'utf8')).split('\n');
    expect(lines.filter((line) => /^\d+$/.test(line))).toEqual(
      Array.from({ length: 40_000 }, (_, line) => String(line + 1000)),
    );
    expect(lines.filter((line) => line.startsWith('wrong'))).toHaveLength(40);
    expect(lines).toHaveLength(40_041);
    expect(broken).toEqual([]);
    await rm(directory, { recursive: true });
  });
});
