import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { finalState } from '../support/final-state.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { atRest, ended, pidOf, type Tandem } from '../support/tandem.ts';
import { noContainers, startTandemInDocker, type TandemInDocker } from '../support/tandem-in-docker.ts';

const OURS = 'label=dev.tandem.attempt';

/**
 * Runs as real containers, through a real S3 store, in the face of what happens to hosts. Each ends with the same bytes as one that nothing happened to.
 * Scope: embedded server and wasm engine, same machine, synchronous mode.
 */
describe.skipIf(noContainers)(`runs as containers (${noContainers ?? 'Docker'})`, () => {
  let stage: TandemInDocker;
  let tandem: Tandem;
  let small: SmallRuns;
  let wanted: Awaited<ReturnType<typeof finalState>>;
  const docker = (...command: string[]) => stage.daemon.docker(...command);
  const spec = () => ({ ...small.grpo({ max_steps: 10 }), recovery: { max_restarts: 3, backoff_seconds: 1 } });
  const submit = async () => (await tandem.post<Run>('/runs', spec())).id;
  const atStep = (id: string, step: number) =>
    tandem.until(id, (run) => ended(run) || (run.status === 'running' && (run.progress?.step ?? 0) >= step), 60);
  const expectSame = async (id: string) => {
    const run = await tandem.untilSucceeded(id, 120);
    expect(await finalState(tandem, id), JSON.stringify(run.attempts)).toEqual(wanted);
    await tandem.until(id, atRest);
    return run;
  };
  const container = (id: string, role: 'trainer' | 'inference', attempt = 1) =>
    docker('ps', '-a', '--filter', `label=dev.tandem.role=${id}.a${attempt}.${role}`, '--format', '{{.Names}}');

  /** Docker 20.10 does not start again when it was killed while it removed a network, which it lists no more as soon as that begins. */
  const killIdleDaemon = async () => {
    await vanished(() => docker('network', 'ls', '-q', '--filter', OURS));
    await sleep(1000);
    await stage.daemon.kill();
  };

  /** Pid and restarts of the container that is not ours; as they were at its start. */
  const stateOfForeign = () => docker('inspect', '-f', '{{.State.Pid}} {{.RestartCount}}', 'of-somebody-else');
  let foreign: string;

  beforeAll(async () => {
    stage = await startTandemInDocker();
    tandem = stage.tandem;
    small = await makeSmallRuns(tandem);
    docker(
      'run',
      '-d',
      '--network',
      'none',
      '--name',
      'of-somebody-else',
      stage.image,
      '-e',
      'setInterval(()=>{},1e3)',
    );
    foreign = stateOfForeign();
    expect(foreign).toMatch(/^[1-9]\d* 0$/);
  }, 240_000);
  afterAll(() => stage?.dispose());

  test('a GRPO run is a pair of hardened containers on a network of their own, and leaves none of them behind', async () => {
    const id = await submit();
    await atStep(id, 1);
    const [trainer, server] = [container(id, 'trainer'), container(id, 'inference')];
    expect(docker('exec', trainer, 'id')).toBe('uid=2000 gid=0(root) groups=0(root)');
    expect(() => docker('exec', trainer, 'sh', '-c', 'echo x > /etc/x')).toThrow(/Read-only file system/);
    expect(() => docker('exec', server, 'sh', '-c', 'echo x > /tandem/shared/adapters/x')).toThrow(/Read-only/);
    expect(docker('network', 'inspect', '-f', '{{.Internal}}', trainer.replace(/\.trainer$/, ''))).toBe('true');
    expect(docker('inspect', '-f', '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}', server)).toBe(
      trainer.replace(/\.trainer$/, ''),
    );
    expect(docker('inspect', trainer)).not.toContain(stage.server.secretKey);
    await expectTreeOfLiveRun(id);
    await tandem.untilSucceeded(id, 120);
    await tandem.until(id, atRest);
    wanted = await finalState(tandem, id);
    await vanished(() => docker('ps', '-aq', '--filter', OURS));
    await vanished(() => docker('volume', 'ls', '-q', '--filter', OURS));
    await vanished(() => docker('network', 'ls', '-q', '--filter', OURS));
  }, 180_000);

  /** What a person sees on the host while the run goes. */
  async function expectTreeOfLiveRun(id: string): Promise<void> {
    const tree = join(tandem.outputs, id);
    const log = join(tree, 'logs/training.log');
    const size = () => (existsSync(log) ? statSync(log).size : 0);
    await expect.poll(size, { timeout: 10_000 }).toBeGreaterThan(0);
    const before = size();
    await atStep(id, 5);
    await expect.poll(size, { timeout: 10_000 }).toBeGreaterThan(before);
    const kept = () => (existsSync(join(tree, 'checkpoints')) ? readdirSync(join(tree, 'checkpoints')) : []);
    await expect.poll(kept, { timeout: 10_000 }).toContainEqual(expect.stringMatching(/^checkpoint-\d+$/));
    expect(ended(await tandem.get<Run>(`/runs/${id}`)), 'the run had ended before its tree was looked at').toBe(false);
  }

  test('a run whose trainer was killed and that was resumed ends with the same bytes', async () => {
    const id = await submit();
    process.kill(pidOf(await atStep(id, 5), 'trainer'), 'SIGKILL');
    const run = await expectSame(id);
    expect(run.attempts.map(({ reason }) => reason)).toEqual(['trainer_killed', 'completed']);
    expect(run.attempts[1]?.resumed_step).toBeGreaterThan(0);
  }, 180_000);

  test('a container that somebody removed has ended with the code that it had', async () => {
    const id = await submit();
    await atStep(id, 5);
    docker('rm', '-f', container(id, 'trainer'));
    const run = await expectSame(id);
    expect(run.attempts[0]).toMatchObject({ reason: 'trainer_killed' });
  }, 180_000);

  test('containers of a control plane that died are adopted by the next one, and none is started twice', async () => {
    const id = await submit();
    const pid = pidOf(await atStep(id, 3), 'trainer');
    await tandem.kill();
    await sleep(500);
    await tandem.start();
    const run = await expectSame(id);
    expect(run.attempts).toHaveLength(1);
    expect(run.attempts[0]?.roles.find(({ role }) => role === 'trainer')).toMatchObject({ pid, exit_code: 0 });
  }, 180_000);

  test('a daemon that is killed with live-restore on costs a run nothing', async () => {
    await killIdleDaemon();
    await stage.daemon.start({ liveRestore: true });
    const id = await submit();
    const pid = pidOf(await atStep(id, 3), 'trainer');
    await stage.daemon.kill();
    await sleep(2000);
    await stage.daemon.start({ liveRestore: true });
    const run = await expectSame(id);
    expect(run.attempts).toHaveLength(1);
    expect(run.attempts[0]?.roles.find(({ role }) => role === 'trainer')).toMatchObject({ pid, exit_code: 0 });
  }, 180_000);

  test('a daemon that is killed without live-restore costs a run what it has trained since its last checkpoint', async () => {
    // From now on the daemon itself ends containers, also those that are not ours.
    expect(stateOfForeign()).toBe(foreign);
    await killIdleDaemon();
    await stage.daemon.start({ liveRestore: false });
    const id = await submit();
    await atStep(id, 4);
    await stage.daemon.kill();
    await stage.daemon.start({ liveRestore: false });
    const run = await expectSame(id);
    expect(run.attempts).toHaveLength(2);
    expect(run.attempts[1]?.resumed_step).toBeGreaterThan(0);
  }, 180_000);

  test('a reward function trains with what it imports, and one in Python says that the image has no python3', async () => {
    const rewards = join(tandem.directory, 'rewards');
    mkdirSync(join(rewards, 'lib'), { recursive: true });
    writeFileSync(join(rewards, 'lib/digits.mjs'), 'export const digits = (text) => text.replace(/\\D/g, "").length;');
    writeFileSync(
      join(rewards, 'long.mjs'),
      "import { digits } from './lib/digits.mjs';\nexport const long = (texts) => texts.map((text) => digits(text) / 5);",
    );
    writeFileSync(join(rewards, 'long.py'), 'def long(completions): return [len(text) for text in completions]');
    const submitWith = async (named: string) => {
      const reward = [{ name: 'function', function: named }];
      return (
        await tandem.post<Run>(
          '/runs',
          small.grpo({ max_steps: 1, eval_steps: 0, run_baseline_eval: false }, { reward }),
        )
      ).id;
    };
    const [id, other] = await Promise.all(['rewards/long.mjs:long', 'rewards/long.py:long'].map(submitWith));
    await tandem.untilSucceeded(id!, 120);
    expect(JSON.stringify(await tandem.get(`/runs/${id}/metrics`))).toContain('reward/long/mean');
    expect(await tandem.until(other!, ended, 60)).toMatchObject({
      reason: 'reward_error',
      message: expect.stringContaining('cannot be started: python3 is not in the image of the trainer'),
    });
  }, 180_000);

  test('a run that is cancelled while it starts leaves nothing behind', async () => {
    const id = await submit();
    await tandem.until(id, (run) => run.status === 'starting');
    await tandem.post(`/runs/${id}/cancel`);
    expect(await tandem.until(id, ended)).toMatchObject({ status: 'cancelled' });
    await vanished(() => docker('ps', '-aq', '--filter', OURS));
  }, 60_000);

  test('containers that are not ours were never touched', () => {
    // The daemon that was killed without live-restore has ended it; it is still there.
    expect(docker('ps', '-a', '--filter', 'name=of-somebody-else', '--format', '{{.Names}}')).toBe('of-somebody-else');
    expect(container('of-somebody-else', 'trainer')).toBe('');
  });
});

async function vanished(list: () => string): Promise<void> {
  for (const deadline = Date.now() + 20_000; list() !== ''; await sleep(100)) {
    if (Date.now() > deadline) throw new Error(`still there: ${list()}`);
  }
}
