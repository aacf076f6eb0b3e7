import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RunEvent } from '../../services/contracts/event.ts';
import type { Run } from '../../services/contracts/run.ts';
import { seenAt } from '../../services/control-plane/runtimes/docker/places.ts';
import { VLLM_IMAGE } from '../../services/control-plane/runtimes/vllm-image.ts';
import { dockerCaller } from '../support/docker-call.ts';
import type { DockerEvent } from '../support/fake-docker/events.ts';
import { gpuConflicts } from '../support/fake-docker/gpus.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { atRest, pidOf, type Tandem } from '../support/tandem.ts';
import {
  noFakeContainers,
  startTandemOnFakeDocker,
  type TandemOnFakeDocker,
} from '../support/tandem-on-fake-docker.ts';

const GPUS = Array.from({ length: 8 }, (_, i) => `GPU-00000000-0000-4000-8000-00000000000${i}`);
const FAKE_VLLM = [process.execPath, '/opt/tandem/dist/test/support/fake-vllm/main.js', 'vllm'];
const SERVES_BASE = ['env', 'FAKE_VLLM_FAULTS={"servesBase":true}', ...FAKE_VLLM];
const why = noFakeContainers ?? noPython();

/** The image's health command is a program in Python. */
function noPython(): string | null {
  try {
    execFileSync('python3', ['-c', ''], { stdio: 'ignore' });
    return null;
  } catch {
    return 'no python3';
  }
}

describe.skipIf(why)(
  `vLLM as a container on a host of eight simulated GPUs (${why ?? 'fake Docker, fake vLLM'})`,
  () => {
    const programs: Record<string, readonly string[]> = {};
    let directory: string;
    let stage: TandemOnFakeDocker;
    let tandem: Tandem;
    let small: SmallRuns;
    let data: string;

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'tandem-managed-'));
      const gpus = GPUS.map((uuid) => ({ uuid, memory_mib: 81_559 }));
      writeFileSync(join(directory, 'eight.yaml'), JSON.stringify({ gpus }));
      stage = await startTandemOnFakeDocker({
        docker: { gpus: GPUS },
        programs,
        env: { TANDEM_GPUS: join(directory, 'eight.yaml') },
      });
      stage.fake.registry.set(VLLM_IMAGE, { layers: [{ id: 'aaa', size: 4e9 }] });
      tandem = stage.tandem;
      small = await makeSmallRuns(tandem);
      data = join(tandem.directory, 'data', 'seven.jsonl');
      // An answer that chance finds now and then: without rewards nothing is learned, and all versions are the same.
      const prompts = Array.from({ length: 64 }, (_, i) => JSON.stringify({ prompt: `${i}+1=`, answer: '7' }));
      writeFileSync(data, `${prompts.join('\n')}\n`);
    });
    beforeEach(() => {
      programs['vllm'] = FAKE_VLLM;
    });
    afterAll(async () => {
      await stage?.dispose();
      rmSync(directory, { recursive: true });
    });

    async function submit(training: object, rest: object = {}): Promise<string> {
      const steps = { learning_rate: 1e-2, eval_steps: 0, save_steps: 4, ...training };
      const rollout = { num_rollouts: 8, concurrency: 4, max_new_tokens: 5 };
      const learning = { data: { train_data: data, val_data: data }, reward: [{ name: 'numeric' }], rollout };
      const recovery = { max_restarts: 1, backoff_seconds: 0.5 };
      return (await tandem.post<Run>('/runs', { ...small.grpo(steps, learning), recovery, ...rest })).id;
    }

    const containerOf = (id: string, role: string) =>
      stage.fake.containers().find(({ name }) => name.endsWith(`-${id}.${role}`))!;
    const gpusOf = (container: ReturnType<typeof containerOf>) =>
      container.body.HostConfig?.DeviceRequests?.flatMap(({ DeviceIDs = [] }) => DeviceIDs);
    const commandOf = ({ body }: ReturnType<typeof containerOf>) => [...(body.Entrypoint ?? []), ...(body.Cmd ?? [])];
    const leasesOf = async (id: string) =>
      (await tandem.events(id)).filter(({ name }) => name === 'gpus_leased').map(({ data: gpus }: RunEvent) => gpus);

    /** What the server has printed of its adapters, by the name of its container within the run. */
    function versions(id: string, server: string): { loaded: string[]; removed: string[] } {
      const file = join(tandem.home, 'output', id, `${id}.${server}.log`);
      const output = existsSync(file) ? readFileSync(file, 'utf8') : '';
      const all = (what: string) =>
        [...output.matchAll(new RegExp(`${what} LoRA adapter: name '${id}-(a[^']+)'`, 'g'))].map(([, name]) => name!);
      return { loaded: all('Loaded new'), removed: all('Removed') };
    }

    /** Each under a name of its own, and the one before is taken away. */
    function expectVersions(id: string, server: string, first: string): void {
      const { loaded, removed } = versions(id, server);
      expect(loaded[0]).toBe(first);
      expect(loaded.length).toBeGreaterThan(2);
      expect(new Set(loaded).size).toBe(loaded.length);
      expect(removed).toEqual(loaded.slice(0, -1));
    }

    /** Kills the server of an attempt once it has served some versions. */
    async function killServer(id: string, attempt: number): Promise<void> {
      await expect
        .poll(() => versions(id, `a${attempt}.inference`).loaded.length, { timeout: 60_000 })
        .toBeGreaterThan(2);
      process.kill(pidOf(await tandem.run(id), 'inference'), 'SIGKILL');
    }

    function expectNoGpuTwice(): void {
      const ofPair = ({ labels }: { labels: Record<string, string> }) => labels['dev.tandem.run'] ?? '';
      expect(gpuConflicts(stage.fake.gpuHistory, (one, other) => ofPair(one) === ofPair(other))).toEqual([]);
    }

    it('is what rollouts come from by default, on a GPU of its own: it answers before the trainer is started, and serves each version in turn', async () => {
      const id = await submit({ max_steps: 10 });
      const { spec } = await tandem.until(id, ({ status }) => status === 'running');
      const [server, trainer] = [containerOf(id, 'a1.inference'), containerOf(id, 'a1.trainer')];
      const { bytes } = await dockerCaller(stage.fake.socketPath).call(
        'GET',
        `/events?since=0&until=${Date.now() / 1000}`,
      );
      expect(spec.inference.backend).toBe('vllm');
      expect(await leasesOf(id)).toMatchObject([{ inference: gpusOf(server), trainer: gpusOf(trainer) }]);
      expect([gpusOf(server), gpusOf(trainer)]).toEqual([
        [expect.stringMatching(/^GPU-/)],
        [expect.stringMatching(/^GPU-/)],
      ]);
      expect(gpusOf(server)).not.toEqual(gpusOf(trainer));
      expect(server.body.Image).toBe(VLLM_IMAGE);
      expect(stage.fake.requests.filter((name) => name.startsWith('POST /images/create'))).toHaveLength(1);
      expect(commandOf(server)).toEqual([
        ...['vllm', 'serve', seenAt(small.model), '--served-model-name', id, '--host', '0.0.0.0', '--port', '8000'],
        ...['--tensor-parallel-size', '1', '--api-server-count', '1', '--max-model-len', '64', '--dtype', 'auto'],
        ...['--seed', '42', '--gpu-memory-utilization', '0.85'],
        ...['--enable-lora', '--max-lora-rank', '8', '--max-loras', '2', '--max-cpu-loras', '4'],
        ...['--logprobs-mode', 'processed_logprobs', '--generation-config', 'vllm', '--disable-uvicorn-access-log'],
      ]);
      expect(server.body.Env).toContain('VLLM_ALLOW_RUNTIME_LORA_UPDATING=True');
      expect(server.body.Env).not.toContain('VLLM_SERVER_DEV_MODE=1');
      expect(server.body.Healthcheck?.Test?.slice(0, 3)).toEqual(['CMD', 'python3', '-c']);

      const events = bytes
        .toString()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as DockerEvent);
      const at = (action: string, { name }: { name: string }) =>
        events.findIndex(({ Action, Actor }) => Action === action && Actor.Attributes['name'] === name);
      const order = [
        at('start', server),
        at('health_status: healthy', server),
        at('create', trainer),
        at('start', trainer),
      ];
      expect(order).toEqual([...order].sort((a, b) => a - b));
      expect(order).not.toContain(-1);

      await tandem.untilSucceeded(id);
      await tandem.until(id, atRest);
      expectVersions(id, 'a1.inference', 'a1-v0');
    });

    it('is started anew with a trainer that was killed, and once more when it dies itself: the run resumes, and goes on', async () => {
      const id = await submit({ max_steps: 24 }, { gpu_profile: 'split-2' });
      await expect.poll(async () => (await tandem.checkpoints(id)).length, { timeout: 60_000 }).toBeGreaterThan(0);
      process.kill(pidOf(await tandem.run(id), 'trainer'), 'SIGKILL');
      await tandem.until(id, ({ attempts }) => attempts.length === 2);
      await killServer(id, 2);
      await expect.poll(() => containerOf(id, 'a2.inference.2')?.status, { timeout: 60_000 }).toBe('running');
      const [first, second] = [containerOf(id, 'a2.inference'), containerOf(id, 'a2.inference.2')];
      expect(commandOf(second)).toEqual(commandOf(first));
      expect(gpusOf(second)).toEqual(gpusOf(first));
      expect((await leasesOf(id))[1]).toMatchObject({ inference: gpusOf(second) });

      const { attempts } = await tandem.untilSucceeded(id);
      await tandem.until(id, atRest);
      expect(attempts.map(({ reason }) => reason)).toEqual(['trainer_killed', 'completed']);
      const resumed = attempts[1]!.resumed_step!;
      expect(resumed).toBeGreaterThanOrEqual(4);
      // The steps in which nothing was learned made no version.
      expect(versions(id, 'a2.inference').loaded[0]).toMatch(/^a2-v[1-9]/);
      // What was served when it died was loaded again.
      expect(versions(id, 'a2.inference').loaded).toContain(versions(id, 'a2.inference.2').loaded[0]);
      expectNoGpuTwice();
    });

    it('gives up the GPU that it shares with the trainer and takes it back, step by step, also after it died', async () => {
      const id = await submit({ max_steps: 16 }, { gpu_profile: 'shared-1' });
      await tandem.until(id, ({ status }) => status === 'running');
      const [server, trainer] = [containerOf(id, 'a1.inference'), containerOf(id, 'a1.trainer')];
      expect(gpusOf(server)).toEqual(gpusOf(trainer));
      expect(await leasesOf(id)).toMatchObject([{ inference: gpusOf(server), trainer: gpusOf(trainer) }]);
      expect(commandOf(server)).toEqual(
        expect.arrayContaining(['--gpu-memory-utilization', '0.45', '--enable-sleep-mode']),
      );
      expect(server.body.Env).toContain('VLLM_SERVER_DEV_MODE=1');
      await killServer(id, 1);
      expect((await tandem.untilSucceeded(id)).attempts).toHaveLength(1);
      await tandem.until(id, atRest);

      const { lines } = await tandem.get<{ lines: { message: string }[] }>(`/runs/${id}/logs?tail=10000`);
      const steps = lines.flatMap(({ message }) => /^Hand-off (\d)\/5: /.exec(message)?.[1] ?? []).join('');
      // The last step is no hand-over: nobody needs the server any more.
      expect(steps).toMatch(/^(12345){3,}1$/);
      expect(versions(id, 'a1.inference').loaded.slice(0, 2)).toEqual(['a1-v0', 'a1-v1-w1']);
      expect(versions(id, 'a1.inference.2').loaded.length).toBeGreaterThan(2);
      expectNoGpuTwice();
    });

    it('that silently serves the base model is found out by the first version that differs, and another one goes on', async () => {
      programs['vllm'] = SERVES_BASE;
      const id = await submit({ max_steps: 10 });
      await tandem.until(id, ({ status }) => status === 'running');
      programs['vllm'] = FAKE_VLLM;
      const { attempts } = await tandem.untilSucceeded(id);
      expect(attempts).toMatchObject([
        {
          reason: 'inference_failed',
          message: expect.stringContaining(`does not compute what the trainer computes for ${id}-a1-v1`),
        },
        { reason: 'completed' },
      ]);
      await tandem.until(id, atRest);
      expect(versions(id, 'a1.inference')).toEqual({ loaded: ['a1-v0', 'a1-v1'], removed: [] });
      expectVersions(id, 'a2.inference', 'a2-v0');
    });
  },
);
