import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DockerCaller, dockerCaller, readFrames } from '../support/docker-call.ts';

export interface KillableDaemon {
  socketPath: string;
  /** SIGKILL of the daemon alone. */
  kill(): Promise<void>;
  start(options: { liveRestore: boolean }): Promise<void>;
  close(): Promise<void>;
}

/** What becomes of containers when dockerd is killed and started again. `create` makes a daemon of the test's own, with an image. */
export function dockerRestartContract(
  name: string,
  create: (options: { liveRestore: boolean }) => Promise<{ daemon: KillableDaemon; image: string }>,
): void {
  describe.each([true, false])(`${name}, killed and started again, live-restore %s`, (liveRestore) => {
    let daemon: KillableDaemon;
    let docker: DockerCaller;
    let image: string;

    beforeEach(async () => {
      ({ daemon, image } = await create({ liveRestore }));
      docker = dockerCaller(daemon.socketPath);
    });
    afterEach(() => daemon.close());

    const run = async (container: string, script: string) => {
      const HostConfig = { NetworkMode: 'none' };
      await docker.call('POST', `/containers/create?name=${container}`, {
        Image: image,
        Entrypoint: ['sh', '-c'],
        Cmd: [script],
        HostConfig,
      });
      await docker.call('POST', `/containers/${container}/start`);
    };
    const state = async (container: string) => (await docker.call('GET', `/containers/${container}/json`)).json.State;
    const logs = async (container: string) => {
      const { bytes } = await docker.call('GET', `/containers/${container}/logs?stdout=1`);
      return readFrames(bytes).map(({ text }) => text.trim());
    };

    it('keeps the exit code of what ended meanwhile, but not what it printed, and tells nobody', async () => {
      const since = (Date.now() / 1000 - 1).toFixed(3);
      await run('ends', 'echo before; sleep 1; echo meanwhile; exit 5');
      for (const deadline = Date.now() + 5_000; (await logs('ends')).length === 0 && Date.now() < deadline; )
        await sleep(20);
      await daemon.kill();
      await expect(docker.call('GET', '/_ping')).rejects.toThrow(/ECONNREFUSED|ENOENT|ECONNRESET/);
      await sleep(1_500);
      await daemon.start({ liveRestore });
      expect(await state('ends')).toMatchObject({ Status: 'exited', ExitCode: 5, OOMKilled: false });
      expect(await logs('ends')).toEqual(['before']);
      const { bytes } = await docker.call('GET', `/events?since=${since}&until=${(Date.now() / 1000).toFixed(3)}`);
      expect(bytes.toString()).not.toContain('"ends"');
    });

    it(`${liveRestore ? 'lets what runs run on' : 'ends what runs with TERM'}, and reads what it printed meanwhile`, async () => {
      await run('runs', 'trap "exit 3" TERM; echo before; sleep 1; echo meanwhile; while :; do sleep 0.05; done');
      for (const deadline = Date.now() + 5_000; (await logs('runs')).length === 0 && Date.now() < deadline; )
        await sleep(20);
      const { Pid } = await state('runs');
      await daemon.kill();
      await sleep(1_500);
      await daemon.start({ liveRestore });
      const running = { Status: 'running', Pid, ExitCode: 0 };
      expect(await state('runs')).toMatchObject(liveRestore ? running : { Status: 'exited', ExitCode: 3, Pid: 0 });
      for (const deadline = Date.now() + 5_000; (await logs('runs')).length < 2 && Date.now() < deadline; )
        await sleep(20);
      expect(await logs('runs')).toEqual(['before', 'meanwhile']);
    });

    it('leaves what was never started as it was', async () => {
      await docker.call('POST', '/containers/create?name=created', { Image: image });
      await daemon.kill();
      await daemon.start({ liveRestore });
      expect(await state('created')).toMatchObject({ Status: 'created', ExitCode: 0 });
      expect((await docker.call('GET', '/info')).json.LiveRestoreEnabled).toBe(liveRestore);
    });
  });
}
