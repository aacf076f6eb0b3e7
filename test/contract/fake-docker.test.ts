import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { type DockerCaller, dockerCaller, readFrames } from '../support/docker-call.ts';
import { missingSandbox } from '../support/docker-daemon/sandbox.ts';
import { type FakeDocker, type FakeDockerOptions, startFakeDocker } from '../support/fake-docker/fake-docker.ts';
import { gpuConflicts } from '../support/fake-docker/gpus.ts';
import type { ScriptControl } from '../support/fake-docker/scripted.ts';

describe('The fake daemon, beyond what a real one does on demand', () => {
  let fake: FakeDocker;
  let docker: DockerCaller;
  afterEach(() => fake.close());

  async function open(options: FakeDockerOptions = {}): Promise<void> {
    fake = await startFakeDocker(options);
    docker = dockerCaller(fake.socketPath);
  }
  const create = (name: string, body: object = {}) =>
    docker.call('POST', `/containers/create?name=${name}`, { Image: 'tandem', ...body });
  const start = (name: string) => docker.call('POST', `/containers/${name}/start`);
  const run = async (name: string, body: object = {}) => {
    expect(await create(name, body)).toMatchObject({ status: 201 });
    expect(await start(name)).toMatchObject({ status: 204 });
  };
  const state = async (name: string) => (await docker.call('GET', `/containers/${name}/json`)).json.State;
  const wait = async (name: string) => (await docker.call('POST', `/containers/${name}/wait`)).json.StatusCode;
  const logs = (name: string) => docker.call('GET', `/containers/${name}/logs?stdout=1&stderr=1`);
  const eventsOf = async (query = '') => {
    const until = (Date.now() / 1000 + 0.05).toFixed(3);
    const { bytes } = await docker.call('GET', `/events?since=1&until=${until}${query}`);
    return bytes
      .toString()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  };
  const gpus = (ids: readonly string[], given: object = {}) => ({
    HostConfig: { DeviceRequests: [{ Driver: 'nvidia', DeviceIDs: ids, Capabilities: [['gpu']], ...given }] },
  });

  describe('scripted containers', () => {
    it('print, write files and end as the test says, by what they were created with', async () => {
      await open({
        behaviours: ({ Labels }) => ({
          prints: [{ text: `as ${Labels?.['role']}\n` }, { text: 'oh\n', to: 'stderr' }],
          files: { '/tandem/own/work/result': 'done' },
          exitCode: 4,
        }),
      });
      const Mounts = [{ Type: 'volume', Source: 'own', Target: '/tandem/own' }];
      await run('one', { Labels: { role: 'trainer' }, HostConfig: { Mounts } });
      expect(await wait('one')).toBe(4);
      expect(readFrames((await logs('one')).bytes)).toEqual([
        { stream: 1, text: 'as trainer\n' },
        { stream: 2, text: 'oh\n' },
      ]);
      const { bytes } = await docker.call('GET', '/containers/one/archive?path=/tandem/own/work/result');
      expect(bytes.toString()).toContain('done');
    });

    it('run until they are killed when nothing is said, and end on TERM as is said', async () => {
      await open({
        behaviours: (_body, name) =>
          name === 'stubborn' ? { onTerm: 'ignored' } : name === 'slow' ? { onTerm: { exitCode: 0, after: 5 } } : null,
      });
      for (const [name, code] of [
        ['plain', 143],
        ['slow', 0],
        ['stubborn', 137],
      ] as const) {
        await run(name);
        await docker.call('POST', `/containers/${name}/kill?signal=SIGTERM`);
        if (name === 'stubborn') {
          expect((await state(name)).Running).toBe(true);
          await docker.call('POST', `/containers/${name}/kill`);
        }
        expect(await wait(name)).toBe(code);
      }
    });

    it('can be led by hand: printing, health and end', async () => {
      const controls = new Map<string, ScriptControl>();
      await open({
        healthInterval: 5,
        behaviours: (_body, name) => ({ healthyAfter: null, control: (control) => controls.set(name, control) }),
      });
      await run('led', { Healthcheck: { Test: ['CMD', 'true'], StartPeriod: 60e9 } });
      expect((await state('led')).Health.Status).toBe('starting');
      controls.get('led')!.setHealthy(true);
      await expect.poll(async () => (await state('led')).Health.Status).toBe('healthy');
      controls.get('led')!.print('told\n', 'stderr');
      controls.get('led')!.exit(12);
      expect(await wait('led')).toBe(12);
      expect(readFrames((await logs('led')).bytes)).toEqual([{ stream: 2, text: 'told\n' }]);
    });

    it('fail to start, or use up their memory, on demand', async () => {
      await open({
        behaviours: (_body, name) =>
          name === 'greedy' ? { outOfMemory: true } : { startError: { status: 500, message: 'no room' } },
      });
      await create('failing');
      expect(await start('failing')).toMatchObject({ status: 500, json: { message: 'no room' } });
      await run('greedy');
      expect(await wait('greedy')).toBe(137);
      expect(await state('greedy')).toMatchObject({ OOMKilled: true });
    });
  });

  describe('GPUs', () => {
    it('are given by UUID, say who has them and who had them, and go back at the end', async () => {
      await open({ gpus: 8 });
      const [first, second] = [fake.gpus.slice(0, 2), fake.gpus.slice(1, 3)];
      await run('one', gpus(first));
      expect(fake.gpuUse()).toEqual(new Map(first.map((uuid) => [uuid, ['one']])));
      await run('two', gpus(second));
      expect(gpuConflicts(fake.gpuHistory)).toMatchObject([
        [{ container: 'one', uuid: fake.gpus[1] }, { container: 'two' }],
      ]);
      expect(gpuConflicts(fake.gpuHistory, () => true)).toEqual([]);
      for (const name of ['one', 'two']) {
        await docker.call('POST', `/containers/${name}/kill`);
        await wait(name);
      }
      expect(fake.gpuUse().size).toBe(0);
      await run('three', gpus(first));
      expect(gpuConflicts(fake.gpuHistory.filter(({ container }) => container !== 'two'))).toEqual([]);
    });

    it('are refused at the start: a count and UUIDs together, one that is not there, and without a driver', async () => {
      await open({ gpus: 2 });
      const refused = async (name: string, body: object, text: string) => {
        expect(await create(name, body)).toMatchObject({ status: 201 });
        expect(await start(name)).toMatchObject({ status: 500, json: { message: expect.stringContaining(text) } });
        expect(await state(name)).toMatchObject({
          Status: 'created',
          ExitCode: 128,
          Error: expect.stringContaining(text),
        });
      };
      await refused('both', gpus(fake.gpus, { Count: 1 }), 'cannot set both Count and DeviceIDs');
      await refused('unknown', gpus(['GPU-nobody']), 'GPU-nobody: unknown device');
      await refused(
        'cdi',
        gpus([`nvidia.com/gpu=${fake.gpus[0]}`], { Driver: 'cdi' }),
        'could not select device driver "cdi"',
      );
      expect(fake.gpuUse().size).toBe(0);
    });

    it('are given by CDI on hosts that say so', async () => {
      await open({ gpus: 2, gpuAccess: 'cdi' });
      const { json } = await docker.call('GET', '/info');
      expect(json.DiscoveredDevices).toEqual(
        fake.gpus.map((uuid) => ({ Source: 'cdi', ID: `nvidia.com/gpu=${uuid}` })),
      );
      expect(json.Runtimes).not.toHaveProperty('nvidia');
      await run('one', gpus([`nvidia.com/gpu=${fake.gpus[1]}`], { Driver: 'cdi' }));
      expect([...fake.gpuUse().keys()]).toEqual([fake.gpus[1]]);
    });
  });

  describe('faults', () => {
    it('answer, hang and cut requests by a pattern, from the n-th on and so many times', async () => {
      await open();
      fake.faults.push({
        on: /^GET \/info$/,
        fault: { kind: 'answer', status: 500, message: 'busy' },
        skip: 1,
        times: 1,
      });
      const statuses = [];
      for (let i = 0; i < 3; i++) statuses.push((await docker.call('GET', '/info')).status);
      expect(statuses).toEqual([200, 500, 200]);
      fake.faults.push({ on: /version/, fault: { kind: 'hang' } });
      const hung = docker.call('GET', '/version');
      const outcome = Promise.race([hung.catch(() => 'cut'), docker.call('GET', '/info').then(() => 'still hanging')]);
      expect(await outcome).toBe('still hanging');
      await fake.kill();
      await expect(hung).rejects.toThrow();
    });

    it('cut the connection before or after the effect', async () => {
      await open();
      fake.faults.push({ on: /^POST \/containers\/create\?name=before/, fault: { kind: 'cut', when: 'before' } });
      fake.faults.push({ on: /^POST \/containers\/create\?name=after/, fault: { kind: 'cut', when: 'after' } });
      await expect(create('before')).rejects.toThrow('socket hang up');
      await expect(create('after')).rejects.toThrow('socket hang up');
      expect(fake.containers().map(({ name }) => name)).toEqual(['after']);
      expect(fake.requests).toEqual(['POST /containers/create?name=before', 'POST /containers/create?name=after']);
    });

    it('cut a log in the middle of a frame, coalesce its frames and take them apart', async () => {
      await open({ behaviours: () => ({ prints: [{ text: 'one\ntwo\nthree\n' }], exitCode: 0, after: 1 }) });
      await run('talks');
      await wait('talks');
      const chunksWith = async (fault: FakeDocker['faults'][number]['fault']) => {
        fake.faults.splice(0, 1, { on: /\/logs/, fault });
        const chunks: Buffer[] = [];
        const answer = await docker.open('GET', '/containers/talks/logs?stdout=1');
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        const ended = await once(answer, 'end').then(
          () => 'end',
          () => 'error',
        );
        return { ended, chunks, bytes: Buffer.concat(chunks) };
      };
      const cut = await chunksWith({ kind: 'cut body', after: 8 + 4 + 8 + 2 });
      expect(cut.ended).toBe('error');
      expect(cut.bytes.subarray(12 + 8).toString()).toBe('tw');
      const whole = await chunksWith({ kind: 'coalesce', within: 20 });
      expect(whole.chunks).toHaveLength(1);
      expect(readFrames(whole.bytes).map(({ text }) => text)).toEqual(['one\n', 'two\n', 'three\n']);
      const single = await chunksWith({ kind: 'single bytes' });
      expect(single.bytes).toEqual(whole.bytes);
      expect(single.chunks.length).toBeGreaterThan(1);
    });

    it('drop, repeat and reorder events', async () => {
      await open({ behaviours: () => ({ exitCode: 0 }) });
      const wanted = `&filters=${encodeURIComponent('{"type":["container"]}')}`;
      for (const name of ['a', 'b', 'c', 'd']) {
        await run(name);
        await wait(name);
      }
      const actions = async () =>
        (await eventsOf(wanted)).map(({ Action, Actor }) => `${Actor.Attributes.name} ${Action}`);
      const all = await actions();
      expect(all).toHaveLength(12);
      fake.faultEvents({ drop: 1 });
      expect(await actions()).toEqual([]);
      fake.faultEvents({ duplicate: 1 });
      expect(await actions()).toEqual(all.flatMap((action) => [action, action]));
      fake.faultEvents({ reorder: 0.5 });
      const mixed = await actions();
      expect(mixed).not.toEqual(all);
      expect(all).toEqual(expect.arrayContaining(mixed));
    });

    it('act between a request and its answer', async () => {
      await open();
      fake.faults.push({ on: /start$/, fault: { kind: 'act', when: 'after', act: () => fake.kill() } });
      await create('one');
      await expect(start('one')).rejects.toThrow();
      await fake.start({ liveRestore: true });
      expect((await state('one')).Status).toBe('running');
    });
  });

  describe('restarts and losses', () => {
    it('refuses connections while it is down, and cuts what is under way', async () => {
      await open();
      await run('one');
      const waiting = await docker.open('POST', '/containers/one/wait');
      const cut = once(waiting, 'error');
      await fake.kill();
      await cut;
      await expect(docker.call('GET', '/_ping')).rejects.toThrow(/ECONNREFUSED|ENOENT/);
    });

    it('ends what does not heed TERM with KILL after its grace, without live-restore', async () => {
      await open({ grace: 10, behaviours: () => ({ onTerm: 'ignored' }) });
      await run('stubborn');
      await fake.kill();
      await fake.start();
      expect(await state('stubborn')).toMatchObject({ Status: 'exited', ExitCode: 137 });
    });

    it('knows no code but 255 of what ran when the machine was started anew', async () => {
      await open({ liveRestore: true });
      await run('one');
      await fake.kill();
      await fake.start({ rebooted: true });
      expect(await state('one')).toMatchObject({ Status: 'exited', ExitCode: 255 });
    });

    it('loses a container without a word', async () => {
      await open({ gpus: 1 });
      await run('one', gpus(fake.gpus));
      fake.lose('one');
      expect(await docker.call('GET', '/containers/one/json')).toMatchObject({ status: 404 });
      expect(fake.gpuUse().size).toBe(0);
      expect((await eventsOf()).map(({ Action }) => Action)).not.toContain('die');
    });
  });

  describe('pulls', () => {
    const layers = [
      { id: 'aaa', size: 400 },
      { id: 'bbb', size: 100 },
    ];

    it('tell each layer as it comes, and have the image at the end', async () => {
      await open();
      fake.registry.set('vllm/vllm-openai:v1', { layers });
      const { status, bytes } = await docker.call('POST', '/images/create?fromImage=vllm/vllm-openai&tag=v1');
      expect(status).toBe(200);
      const lines = bytes
        .toString()
        .trim()
        .split('\r\n')
        .map((line) => JSON.parse(line));
      expect(lines).toContainEqual(
        expect.objectContaining({ status: 'Downloading', progressDetail: { current: 200, total: 400 }, id: 'aaa' }),
      );
      expect(lines.at(-1).status).toContain('Status: Downloaded newer image');
      expect(await docker.call('GET', '/images/vllm/vllm-openai:v1/json')).toMatchObject({
        status: 200,
        json: { RepoTags: ['vllm/vllm-openai:v1'] },
      });
    });

    it('by a digest leave an image that is found with any tag beside the digest', async () => {
      await open();
      const digest = `sha256:${'a'.repeat(64)}`;
      fake.registry.set(`vllm/vllm-openai:v1@${digest}`, { layers });
      await docker.call('POST', `/images/create?fromImage=vllm/vllm-openai&tag=${digest}`);
      for (const reference of [`vllm/vllm-openai@${digest}`, `vllm/vllm-openai:v1@${digest}`]) {
        expect(await docker.call('GET', `/images/${reference}/json`)).toMatchObject({ status: 200 });
      }
      expect(await docker.call('GET', '/images/vllm/vllm-openai:v1/json')).toMatchObject({ status: 404 });
    });

    it('tell an error within status 200, and leave no image', async () => {
      await open();
      fake.registry.set('broken:1', { layers, error: 'unexpected EOF' });
      const { status, bytes } = await docker.call('POST', '/images/create?fromImage=broken&tag=1');
      expect(status).toBe(200);
      expect(bytes.toString()).toContain('"error":"unexpected EOF"');
      expect(await docker.call('GET', '/images/broken:1/json')).toMatchObject({ status: 404 });
      expect(await docker.call('POST', '/images/create?fromImage=nobody&tag=1')).toMatchObject({ status: 404 });
    });
  });

  describe('processes', () => {
    it('find their mounts in arguments and variables, and leave nothing running', async () => {
      await open({ processes: true });
      const HostConfig = { Mounts: [{ Type: 'volume', Source: 'own', Target: '/tandem/own' }] };
      await run('one', {
        Entrypoint: ['sh', '-c', 'echo $$ > "$PLACE/pid"; sleep 60 & wait'],
        Env: ['PLACE=/tandem/own'],
        HostConfig,
      });
      const file = join((await docker.call('GET', '/volumes/own')).json.Mountpoint, 'pid');
      await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8').trim()).toMatch(/\d/);
      const pid = Number(readFileSync(file, 'utf8'));
      expect((await state('one')).Pid).toBe(pid);
      await fake.close();
      expect(() => process.kill(pid, 0)).toThrow();
    });

    it.skipIf(missingSandbox())('find files and each other under the names that a container has for them', async () => {
      const paths = { '/opt/tandem': import.meta.dirname };
      await open({ processes: { namespaces: true, paths } });
      await docker.call('POST', '/networks/create', { Name: 'pair' });
      const join = (alias: string) => ({
        HostConfig: { NetworkMode: 'pair' },
        NetworkingConfig: { EndpointsConfig: { pair: { Aliases: [alias] } } },
      });
      const serve =
        'require("http").createServer((q, r) => r.end("answered")).listen(8000, process.argv[1], () => console.log("on"))';
      await run('server', { Entrypoint: ['node', '-e', serve, '0.0.0.0'], ...join('inference') });
      await expect.poll(async () => (await logs('server')).bytes.toString()).toContain('on');
      const ask =
        'fetch("http://inference:8000").then((r) => r.text()).then((t) => console.log(t, require("fs").existsSync("/opt/tandem/fake-docker.test.ts")))';
      await run('client', { Entrypoint: ['node', '-e', ask], ...join('trainer') });
      expect(await wait('client')).toBe(0);
      expect(readFrames((await logs('client')).bytes)).toEqual([{ stream: 1, text: 'answered true\n' }]);
    });
  });

  it('sends headers of a long answer at once, also when the first bytes take their time', async () => {
    await open();
    await run('one');
    const following = await docker.open('GET', '/containers/one/logs?stdout=1&follow=1');
    expect(following.statusCode).toBe(200);
    await docker.call('DELETE', '/containers/one?force=1');
    expect(await buffer(following)).toHaveLength(0);
  });
});
