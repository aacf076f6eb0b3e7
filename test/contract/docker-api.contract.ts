import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { extract, pack } from 'tar-stream';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type DockerAnswer, type DockerCaller, dockerCaller, readFrames } from '../support/docker-call.ts';

export interface DaemonUnderTest {
  socketPath: string;
  /** An image with sh, sleep and cat, and a shell's own commands. */
  image: string;
  /** A command that uses up its memory, and the limit that ends it, in bytes. */
  greedy: { command: readonly string[]; memory: number };
  /** Whether what containers may not do is kept from them; a fake that runs their commands here keeps nothing. */
  isolates: boolean;
}

/** What the Docker runtime relies on, as Debian's dockerd 20.10 does it; the fake must do the same. Only what the suite made is removed. */
export function dockerApiContract(name: string, connect: () => Promise<DaemonUnderTest>): void {
  describe(`${name} does what the Docker runtime relies on`, () => {
    const tag = `contract-${randomBytes(4).toString('hex')}`;
    const labels = { 'dev.tandem.contract': tag };
    const filters = (given: Record<string, string[]>) => `filters=${encodeURIComponent(JSON.stringify(given))}`;
    const ours = filters({ label: [`dev.tandem.contract=${tag}`] });
    let under: DaemonUnderTest;
    let docker: DockerCaller;
    let count = 0;

    beforeAll(async () => {
      under = await connect();
      docker = dockerCaller(under.socketPath);
    });
    afterEach(async () => {
      const list = async (path: string) => (await docker.call('GET', path)).json;
      for (const { Id } of await list(`/containers/json?all=1&${ours}`)) {
        await docker.call('DELETE', `/containers/${Id}?force=1&v=1`);
      }
      for (const { Id } of await list(`/networks?${ours}`)) await docker.call('DELETE', `/networks/${Id}`);
      for (const { Name } of (await list(`/volumes?${ours}`)).Volumes ?? [])
        await docker.call('DELETE', `/volumes/${Name}`);
    });

    const newName = () => {
      count += 1;
      return `${tag}-${count}`;
    };
    const create = (given: string, body: object = {}): Promise<DockerAnswer> => {
      const { HostConfig = {}, ...rest } = body as { HostConfig?: object };
      const host = { NetworkMode: 'none', ...HostConfig };
      return docker.call('POST', `/containers/create?name=${given}`, {
        Image: under.image,
        Labels: labels,
        ...rest,
        HostConfig: host,
      });
    };
    const sh = (script: string) => ({ Entrypoint: ['sh', '-c'], Cmd: [script] });
    const start = (container: string) => docker.call('POST', `/containers/${container}/start`);
    const kill = (container: string, signal: string) =>
      docker.call('POST', `/containers/${container}/kill?signal=${signal}`);
    const inspect = async (container: string) => (await docker.call('GET', `/containers/${container}/json`)).json;
    const wait = async (container: string) =>
      (await docker.call('POST', `/containers/${container}/wait`)).json.StatusCode;
    const run = async (script: string, body: object = {}): Promise<string> => {
      const container = newName();
      expect(await create(container, { ...sh(script), ...body })).toMatchObject({ status: 201 });
      expect(await start(container)).toMatchObject({ status: 204 });
      return container;
    };
    const logs = async (container: string, query = '') => {
      const { bytes } = await docker.call('GET', `/containers/${container}/logs?stdout=1&stderr=1${query}`);
      return readFrames(bytes);
    };
    const until = async (is: () => Promise<boolean>) => {
      for (const deadline = Date.now() + 20_000; !(await is()); await sleep(20)) {
        if (Date.now() > deadline) throw new Error(`never came: ${is}`);
      }
    };
    const isPrinted = (container: string, text: string) => async () =>
      (await logs(container)).some((frame) => frame.text.includes(text));
    const createVolume = async () => {
      const volume = newName();
      await docker.call('POST', '/volumes/create', { Name: volume, Labels: labels });
      return volume;
    };
    const mounted = (Source: string, given: object = {}) => ({
      Type: 'volume',
      Source,
      Target: '/tandem/own',
      ...given,
    });

    it('says its API version, and what it is', async () => {
      expect(await docker.call('GET', '/_ping')).toMatchObject({
        status: 200,
        headers: { 'api-version': expect.stringMatching(/^1\.\d+$/) },
      });
      expect((await docker.call('GET', '/version')).json).toMatchObject({
        ApiVersion: expect.any(String),
        Version: expect.any(String),
      });
      const { json } = await docker.call('GET', '/info');
      expect(json).toMatchObject({
        ID: expect.any(String),
        Runtimes: { runc: {} },
        LiveRestoreEnabled: expect.any(Boolean),
      });
      expect(json).toMatchObject({
        OSType: 'linux',
        DockerRootDir: expect.any(String),
        ServerVersion: expect.any(String),
      });
    });

    it('refuses a name that is taken with 409, and an image that is not there with 404', async () => {
      const container = newName();
      expect(await create(container)).toMatchObject({
        status: 201,
        json: { Id: expect.stringMatching(/^[0-9a-f]{64}$/) },
      });
      const again = await create(container);
      expect(again).toMatchObject({ status: 409, json: { message: expect.stringContaining('is already in use') } });
      expect(await create(newName(), { Image: 'no-such-image:1' })).toMatchObject({
        status: 404,
        json: { message: expect.stringContaining('No such image') },
      });
    });

    it('answers 404 for a container, a network, a volume and an image that is not there', async () => {
      for (const path of [
        '/containers/nobody/json',
        '/networks/nobody',
        '/volumes/nobody',
        '/images/nobody:1/json',
        '/containers/nobody/logs?stdout=1',
      ]) {
        expect(await docker.call('GET', path), path).toMatchObject({
          status: 404,
          json: { message: expect.any(String) },
        });
      }
      for (const path of ['/containers/nobody/start', '/containers/nobody/wait', '/containers/nobody/kill']) {
        expect(await docker.call('POST', path), path).toMatchObject({ status: 404 });
      }
      expect(await docker.call('DELETE', '/containers/nobody')).toMatchObject({ status: 404 });
    });

    it('lists containers in every state by label, and only running ones when all is not asked for', async () => {
      const created = newName();
      await create(created, { Labels: { ...labels, role: 'trainer' } });
      const running = await run('sleep 60');
      const listed = await docker.call('GET', `/containers/json?all=1&${ours}`);
      expect(listed.json.map((one: { Names: string[]; State: string }) => [one.Names[0], one.State]).sort()).toEqual(
        [
          [`/${created}`, 'created'],
          [`/${running}`, 'running'],
        ].sort(),
      );
      expect((await docker.call('GET', `/containers/json?${ours}`)).json).toHaveLength(1);
      const narrow = filters({ label: [`dev.tandem.contract=${tag}`, 'role=trainer'] });
      expect((await docker.call('GET', `/containers/json?all=1&${narrow}`)).json).toMatchObject([
        { Labels: { role: 'trainer' } },
      ]);
    });

    it('gives back in inspect what it was created with', async () => {
      const container = newName();
      await create(container, {
        ...sh('exit 0'),
        Env: ['A=1'],
        User: '2000:0',
        HostConfig: { ReadonlyRootfs: true, Init: true },
      });
      const seen = await inspect(container);
      expect(seen).toMatchObject({
        Name: `/${container}`,
        Config: { Labels: labels, User: '2000:0', Image: under.image },
      });
      expect(seen.HostConfig).toMatchObject({ ReadonlyRootfs: true, Init: true, NetworkMode: 'none' });
      expect(seen.Config.Env).toContain('A=1');
      expect(seen.State).toMatchObject({
        Status: 'created',
        Running: false,
        Pid: 0,
        ExitCode: 0,
        StartedAt: '0001-01-01T00:00:00Z',
      });
    });

    it('sends the head of a wait at once, and its code when a container that was started later has ended', async () => {
      const container = newName();
      await create(container, sh('exit 7'));
      const waiting = await docker.open('POST', `/containers/${container}/wait?condition=next-exit`);
      expect(waiting.statusCode).toBe(200);
      await start(container);
      expect(JSON.parse((await buffer(waiting)).toString())).toMatchObject({ StatusCode: 7 });
    });

    it('answers a wait for one that has ended at once, and for one that was never started with 0', async () => {
      const container = await run('exit 3');
      expect(await wait(container)).toBe(3);
      expect(await wait(container)).toBe(3);
      const never = newName();
      await create(never);
      expect(await wait(never)).toBe(0);
    });

    it('tells exit codes: its own, 143 by TERM and 137 by KILL', async () => {
      expect(await wait(await run('exit 0'))).toBe(0);
      for (const [signal, code] of [
        ['TERM', 143],
        ['KILL', 137],
      ] as const) {
        const container = await run('exec sleep 60', { HostConfig: { Init: true } });
        expect(await kill(container, signal)).toMatchObject({ status: 204 });
        expect(await wait(container)).toBe(code);
        expect((await inspect(container)).State).toMatchObject({
          Status: 'exited',
          ExitCode: code,
          OOMKilled: false,
          Pid: 0,
        });
      }
      const trapping = await run('trap "exit 9" TERM; echo set; while :; do sleep 0.05; done');
      await until(isPrinted(trapping, 'set'));
      await kill(trapping, 'TERM');
      expect(await wait(trapping)).toBe(9);
    });

    it('says that the kernel ended a container for want of memory', async () => {
      const container = newName();
      const { command, memory } = under.greedy;
      await create(container, {
        Entrypoint: [command[0]],
        Cmd: command.slice(1),
        HostConfig: { Memory: memory, MemorySwap: memory },
      });
      await start(container);
      expect(await wait(container)).toBe(137);
      expect((await inspect(container)).State).toMatchObject({ OOMKilled: true, ExitCode: 137 });
    });

    it('answers 304 to the start of one that runs, and starts one that has ended again', async () => {
      const container = await run('sleep 60');
      expect(await start(container)).toMatchObject({ status: 304 });
      const ended = await run('exit 1');
      await wait(ended);
      expect(await start(ended)).toMatchObject({ status: 204 });
    });

    it('keeps a container whose start fails, with the reason and code 128', async () => {
      const container = newName();
      const network = newName();
      await docker.call('POST', '/networks/create', { Name: network, Labels: labels });
      await create(container, { ...sh('exit 0'), HostConfig: { NetworkMode: network } });
      await docker.call('DELETE', `/networks/${network}`);
      expect(await start(container)).toMatchObject({
        status: 404,
        json: { message: expect.stringContaining('not found') },
      });
      expect((await inspect(container)).State).toMatchObject({
        Status: 'created',
        ExitCode: 128,
        Error: expect.stringContaining('not found'),
      });
    });

    it('refuses with 400 or 500 to start a program that is not there', async () => {
      const container = newName();
      await create(container, { Entrypoint: ['/no/such/program'] });
      const { status, json } = await start(container);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(json.message).toContain('/no/such/program');
      expect((await inspect(container)).State.Status).toBe('created');
    });

    it('puts what is printed into frames, a line each, with its stream and on request its time', async () => {
      const container = await run('echo one; echo two >&2; printf rest');
      await wait(container);
      expect((await logs(container)).sort((a, b) => a.text.localeCompare(b.text))).toEqual([
        { stream: 1, text: 'one\n' },
        { stream: 1, text: 'rest' },
        { stream: 2, text: 'two\n' },
      ]);
      const { bytes } = await docker.call('GET', `/containers/${container}/logs?stderr=1&timestamps=1`);
      expect(readFrames(bytes)).toEqual([
        { stream: 2, text: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z two\n$/) },
      ]);
      expect(await docker.call('GET', `/containers/${container}/logs`)).toMatchObject({ status: 400 });
    });

    it('gives logs from a time on, that time included, and the last of them', async () => {
      const container = await run('for i in 1 2 3 4; do echo $i; sleep 0.02; done');
      await wait(container);
      const dated = await logs(container, '&timestamps=1');
      const [, seconds = '', nano = ''] = /^(.*)\.(\d{9})Z/.exec(dated[2]!.text) ?? [];
      const since = `${Date.parse(`${seconds}Z`) / 1000}.${nano}`;
      expect((await logs(container, `&since=${since}`)).map(({ text }) => text)).toEqual(['3\n', '4\n']);
      expect((await logs(container, '&tail=1')).map(({ text }) => text)).toEqual(['4\n']);
    });

    it('follows logs as they come and ends them with the container', async () => {
      const container = await run('echo first; while [ ! -e /tandem/own/go ]; do sleep 0.05; done; echo last', {
        HostConfig: { Mounts: [mounted(await createVolume())] },
      });
      const following = await docker.open('GET', `/containers/${container}/logs?stdout=1&follow=1`);
      const chunks: Buffer[] = [];
      const ended = new Promise((resolve) =>
        following.on('data', (chunk: Buffer) => chunks.push(chunk)).once('end', resolve),
      );
      await until(async () => Buffer.concat(chunks).includes('first'));
      await docker.call('PUT', `/containers/${container}/archive?path=/tandem/own`, await tar({ go: '' }));
      await ended;
      expect(readFrames(Buffer.concat(chunks)).map(({ text }) => text)).toEqual(['first\n', 'last\n']);
    });

    it('unpacks an archive into the volume of a created container, owners and modes included', async () => {
      const container = newName();
      const script = 'cat /tandem/own/sub/secret';
      await create(container, {
        ...sh(script),
        HostConfig: { Mounts: [mounted(await createVolume())], ReadonlyRootfs: true },
      });
      const put = (path: string) =>
        tar({ 'sub/secret': 'told\n' }).then((bytes) =>
          docker.call('PUT', `/containers/${container}/archive?path=${path}`, bytes),
        );
      expect(await put('/tandem/own')).toMatchObject({ status: 200 });
      const { status, bytes } = await docker.call(
        'GET',
        `/containers/${container}/archive?path=/tandem/own/sub/secret`,
      );
      expect(status).toBe(200);
      expect(await untar(bytes)).toEqual([{ name: 'secret', uid: 2000, gid: 7, mode: 0o640, text: 'told\n' }]);
      await start(container);
      await wait(container);
      expect(await logs(container)).toEqual([{ stream: 1, text: 'told\n' }]);
      // Not into what is not there, and not into the read-only root.
      expect(await put('/tandem/nowhere')).toMatchObject({ status: 404 });
      expect(await put('/')).toMatchObject({ status: 500, json: { message: 'container rootfs is marked read-only' } });
    });

    it('makes the directory of the host that a container binds, unpacks into it, and knows the hosts that it is told of', async () => {
      const above = mkdtempSync(join(tmpdir(), 'tandem-bind-'));
      const directory = join(above, 'made');
      try {
        const container = newName();
        const script = `cat ${directory}/sub/secret; echo 1 > ${directory}/written; grep far-away /etc/hosts`;
        const host = { Binds: [`${directory}:${directory}`], ExtraHosts: ['far-away:192.0.2.7'], ReadonlyRootfs: true };
        await create(container, { ...sh(script), HostConfig: host });
        const bytes = await tar({ 'sub/secret': 'told\n' });
        expect(await docker.call('PUT', `/containers/${container}/archive?path=${directory}`, bytes)).toMatchObject({
          status: 200,
        });
        expect(readFileSync(join(directory, 'sub/secret'), 'utf8')).toBe('told\n');
        await start(container);
        await wait(container);
        expect(readFileSync(join(directory, 'written'), 'utf8')).toBe('1\n');
        const said = (await logs(container)).map(({ text }) => text.replace(/\s+/g, ' '));
        expect(said).toEqual(['told ', ...(under.isolates ? ['192.0.2.7 far-away '] : [])]);
      } finally {
        rmSync(above, { recursive: true });
      }
    });

    it('packs a directory out of the volume of a stopped container, and answers 404 for a file that is not there', async () => {
      const container = await run('mkdir /tandem/own/work; echo 1 > /tandem/own/work/a', {
        HostConfig: { Mounts: [mounted(await createVolume())] },
      });
      expect(await wait(container)).toBe(0);
      const path = (name: string) => `/containers/${container}/archive?path=/tandem/own/${name}`;
      const { bytes, headers } = await docker.call('GET', path('work'));
      expect((await untar(bytes)).map(({ name, text }) => [name, text])).toEqual([
        ['work/', ''],
        ['work/a', '1\n'],
      ]);
      const told = JSON.parse(Buffer.from(String(headers['x-docker-container-path-stat']), 'base64').toString());
      expect(told).toMatchObject({ name: 'work' });
      expect(await docker.call('GET', path('none'))).toMatchObject({
        status: 404,
        json: { message: expect.stringContaining('Could not find the file') },
      });
    });

    it('refuses with 409 to kill one that has ended and to remove one that runs', async () => {
      const container = await run('exit 0');
      await wait(container);
      expect(await kill(container, 'TERM')).toMatchObject({
        status: 409,
        json: { message: expect.stringContaining('is not running') },
      });
      expect(await docker.call('DELETE', `/containers/${container}`)).toMatchObject({ status: 204 });
      const running = await run('sleep 60');
      expect(await docker.call('DELETE', `/containers/${running}`)).toMatchObject({ status: 409 });
      expect(await docker.call('DELETE', `/containers/${running}?force=1`)).toMatchObject({ status: 204 });
      expect(await docker.call('GET', `/containers/${running}/json`)).toMatchObject({ status: 404 });
    });

    it('makes the volumes that a container names, keeps them after it, and removes none that is used', async () => {
      const volume = newName();
      const container = newName();
      await create(container, { HostConfig: { Mounts: [mounted(volume, { VolumeOptions: { Labels: labels } })] } });
      expect(await docker.call('DELETE', `/volumes/${volume}`)).toMatchObject({
        status: 409,
        json: { message: expect.stringContaining('volume is in use') },
      });
      await docker.call('DELETE', `/containers/${container}?v=1`);
      expect((await docker.call('GET', `/volumes?${ours}`)).json.Volumes).toMatchObject([
        { Name: volume, Labels: labels },
      ]);
      expect(await docker.call('POST', '/volumes/create', { Name: volume })).toMatchObject({
        status: 201,
        json: { Labels: labels },
      });
      expect(await docker.call('DELETE', `/volumes/${volume}`)).toMatchObject({ status: 204 });
    });

    it('tells health: starting, then healthy, and unhealthy after so many failures', async () => {
      const check = (command: string) => ({
        Test: ['CMD-SHELL', command],
        Interval: 2e8,
        Timeout: 1e9,
        Retries: 2,
        StartPeriod: 0,
      });
      const mounts = { Mounts: [mounted(await createVolume())] };
      const script = 'while :; do sleep 0.05; done';
      const container = await run(script, {
        Healthcheck: { ...check('test -e /tandem/own/ready'), StartPeriod: 60e9 },
        HostConfig: mounts,
      });
      expect((await inspect(container)).State.Health.Status).toBe('starting');
      await docker.call('PUT', `/containers/${container}/archive?path=/tandem/own`, await tar({ ready: '' }));
      await until(async () => (await inspect(container)).State.Health.Status === 'healthy');
      const sick = await run(script, { Healthcheck: check('exit 1') });
      await until(async () => (await inspect(sick)).State.Health.Status === 'unhealthy');
      expect((await inspect(await run(script, { Healthcheck: { Test: ['NONE'] } }))).State.Health).toBeUndefined();
    });

    it('tells of create, start, die with the code, and destroy, with the labels; a second reader learns them from the past', async () => {
      const since = Date.now() / 1000 - 1;
      const wanted = filters({ type: ['container'], label: [`dev.tandem.contract=${tag}`] });
      const live = await docker.open('GET', `/events?${wanted}`);
      let text = '';
      live.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      const container = newName();
      const { json } = await create(container, sh('exit 5'));
      await start(container);
      await wait(container);
      await docker.call('DELETE', `/containers/${container}`);
      await until(async () => text.includes('"destroy"'));
      live.destroy();
      const parse = (lines: string) =>
        lines
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line))
          .filter((event) => event.Actor.ID === json.Id);
      const events = parse(text);
      expect(events.map(({ Type, Action }) => `${Type} ${Action}`)).toEqual(
        ['create', 'start', 'die', 'destroy'].map((action) => `container ${action}`),
      );
      expect(events[2].Actor.Attributes).toMatchObject({ exitCode: '5', name: container, ...labels });
      expect(events[0]).toMatchObject({ time: expect.any(Number), timeNano: expect.any(Number) });
      const past = await docker.call(
        'GET',
        `/events?${wanted}&since=${since.toFixed(3)}&until=${(Date.now() / 1000).toFixed(3)}`,
      );
      expect(parse(past.bytes.toString()).map(({ Action }) => Action)).toEqual(['create', 'start', 'die', 'destroy']);
    });

    it('connects a second network before the start, and keeps each address to its network', async () => {
      const [pair, agents, container] = [newName(), newName(), newName()];
      const body = { Labels: labels, CheckDuplicate: true, Internal: true };
      expect(await docker.call('POST', '/networks/create', { ...body, Name: pair })).toMatchObject({ status: 201 });
      expect(await docker.call('POST', '/networks/create', { ...body, Name: pair })).toMatchObject({ status: 409 });
      await docker.call('POST', '/networks/create', { ...body, Name: agents });
      const aliases = { EndpointsConfig: { [pair]: { Aliases: ['inference'] } } };
      await create(container, {
        ...sh('while :; do sleep 0.05; done'),
        NetworkingConfig: aliases,
        HostConfig: { NetworkMode: pair },
      });
      expect(await docker.call('POST', `/networks/${agents}/connect`, { Container: container })).toMatchObject({
        status: 200,
      });
      await start(container);
      const { Networks } = (await inspect(container)).NetworkSettings;
      expect(Object.keys(Networks).sort()).toEqual([agents, pair].sort());
      expect(Networks[pair].Aliases).toContain('inference');
      const { json } = await docker.call('GET', `/networks/${pair}`);
      expect(json).toMatchObject({
        Internal: true,
        Labels: labels,
        IPAM: { Config: [{ Gateway: expect.any(String), Subnet: expect.any(String) }] },
      });
      expect(Object.values(json.Containers)).toMatchObject([
        { Name: container, IPv4Address: expect.stringContaining(Networks[pair].IPAddress) },
      ]);
      // As long as somebody is connected it stays.
      expect(await docker.call('DELETE', `/networks/${pair}`)).toMatchObject({ status: 403 });
    });

    it('refuses with 403 a subnet that another network has, and names no gateway that nobody gave', async () => {
      const Config = [{ Subnet: `10.214.${Math.floor(Math.random() * 256)}.16/28` }];
      const make = (name: string) =>
        docker.call('POST', '/networks/create', { Name: name, Labels: labels, IPAM: { Config } });
      const name = newName();
      expect(await make(name)).toMatchObject({ status: 201 });
      expect(await make(newName())).toMatchObject({
        status: 403,
        json: { message: expect.stringContaining('Pool overlaps') },
      });
      expect((await docker.call('GET', `/networks/${name}`)).json.IPAM.Config).toEqual(Config);
    });

    it('finds out only at the start that a network to connect is not there, or that there is no driver for a device', async () => {
      const container = newName();
      await create(container);
      expect(await docker.call('POST', '/networks/nobody/connect', { Container: container })).toMatchObject({
        status: 200,
      });
      expect(await start(container)).toMatchObject({ status: 404 });
      const request = { Driver: 'no-such-driver', DeviceIDs: ['GPU-x'], Capabilities: [['gpu']] };
      const other = newName();
      expect(await create(other, { HostConfig: { DeviceRequests: [request] } })).toMatchObject({ status: 201 });
      expect(await start(other)).toMatchObject({
        status: 500,
        json: { message: expect.stringContaining('could not select device driver') },
      });
      expect((await inspect(other)).HostConfig.DeviceRequests).toMatchObject([request]);
    });

    it('lets a container with a read-only root write to its volumes, and nowhere else', async ({ skip }) => {
      if (!under.isolates) skip('its containers are processes of this machine');
      const script =
        'echo 1 > /tandem/own/a && echo volume; echo 1 > /tandem/shared/a || echo not shared; echo 1 > /a || echo not root';
      const shared = { Type: 'volume', Source: await createVolume(), Target: '/tandem/shared', ReadOnly: true };
      const container = await run(script, {
        HostConfig: { ReadonlyRootfs: true, Mounts: [mounted(await createVolume()), shared] },
      });
      await wait(container);
      const said = (await logs(container)).filter(({ stream }) => stream === 1).map(({ text }) => text);
      expect(said).toEqual(['volume\n', 'not shared\n', 'not root\n']);
    });
  });
}

async function tar(files: Record<string, string>): Promise<Buffer> {
  const packed = pack();
  for (const [name, text] of Object.entries(files)) packed.entry({ name, uid: 2000, gid: 7, mode: 0o640 }, text);
  packed.finalize();
  return buffer(packed);
}

async function untar(bytes: Buffer) {
  const entries = extract();
  entries.end(bytes);
  const found: {
    name: string;
    uid: number | undefined;
    gid: number | undefined;
    mode: number;
    text: string;
  }[] = [];
  for await (const entry of entries) {
    const { name, uid, gid, mode } = entry.header;
    // dockerd leaves the kind of a file in the mode.
    found.push({ name, uid, gid, mode: (mode ?? 0) & 0o7777, text: (await buffer(entry)).toString() });
  }
  return found;
}
