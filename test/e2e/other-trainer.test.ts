import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import type { DockerDaemon } from '../support/docker-daemon/docker-daemon.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { pidOf, startTandem, type Tandem } from '../support/tandem.ts';
import { noContainers, startTandemInDocker } from '../support/tandem-in-docker.ts';
import { noMinio, startTandemOnS3 } from '../support/tandem-on-s3.ts';

const MAIN = 'test/support/plain-trainer-main.js';
const STEPS = 160;
const DIRECTORY = 'in a directory';
const noPython = spawnSync('python3', ['--version']).status === 0 ? null : 'no python3';

/** A control plane with real containers, which allows the image of the trainer. */
async function startInContainers(): Promise<Stage> {
  const image = 'plain-trainer:under-test';
  const make = (daemon: DockerDaemon) => {
    const context = mkdtempSync(join(tmpdir(), 'tandem-image-'));
    copyFileSync('services/contracts/plain_trainer.py', join(context, 'trainer.py'));
    const base = daemon.importBaseImage({ withPython: true });
    const lines = [`FROM ${base}`, 'COPY trainer.py /trainer.py', 'ENTRYPOINT ["python3", "/trainer.py"]'];
    writeFileSync(join(context, 'Dockerfile'), lines.join('\n'));
    daemon.docker('build', '--quiet', '--tag', image, context);
    rmSync(context, { recursive: true });
  };
  const { tandem, dispose } = await startTandemInDocker({ TANDEM_TRAINER_IMAGES: image }, { more: make });
  return { tandem, dispose, spec: { trainer: 'image', trainer_image: image } };
}

interface Stage {
  tandem: Tandem;
  dispose(): Promise<void>;
  /** What its runs say besides. */
  spec?: object;
}

describe.skipIf(noPython)(`a trainer in plain Python (${noPython ?? 'python3'}) under a real control plane`, () => {
  describeTrainer(DIRECTORY, async () => {
    const tandem = await startTandem({}, MAIN);
    return { tandem, dispose: tandem.dispose };
  });
  // The container below uses MinIO as well.
  describe.skipIf(noMinio ?? process.env['TANDEM_TEST_FULL'] !== '1')(noMinio ?? 'and MinIO (--full)', () => {
    describeTrainer('in an object store', () => startTandemOnS3({ main: MAIN }));
  });
  describe.skipIf(noContainers)(noContainers ?? 'as an image of its own', () => {
    describeTrainer('in an object store', startInContainers);
  });
});

function describeTrainer(where: string, start: () => Promise<Stage>) {
  describe(`with checkpoints ${where}`, () => {
    let tandem: Tandem;
    let dispose: (() => Promise<void>) | undefined;
    let more: object | undefined;
    let small: SmallRuns;
    /** What a run has at its end that nothing has disturbed. */
    let undisturbed: Record<string, string>;

    beforeAll(async () => {
      ({ tandem, dispose, spec: more } = await start());
      small = await makeSmallRuns(tandem);
      undisturbed = await final(await tandem.untilSucceeded((await submit()).id));
      // Images are built.
    }, 600_000);
    afterAll(() => dispose?.());

    const submit = (training: object = {}) => {
      const spec = small.sft({ max_steps: STEPS, save_steps: 25, learning_rate: 2e-3, ...training });
      return tandem.post<Run>('/runs', { ...spec, ...more, recovery: { max_restarts: 1, backoff_seconds: 1 } });
    };
    const atStep = (id: string, step: number) => tandem.until(id, ({ progress }) => (progress?.step ?? 0) >= step);
    const final = async ({ id }: Run) => {
      const found = (await tandem.checkpoints(id)).find(({ aliases }) => aliases.includes('final'));
      return Object.fromEntries((found?.files ?? []).map(({ path, sha256 }) => [path, sha256]));
    };
    const losses = async ({ id }: Run) => {
      const { series } = await tandem.get<{ series: { name: string; steps: number[]; values: number[] }[] }>(
        `/runs/${id}/metrics?points=10000&names=train/loss`,
      );
      return series[0] ?? expect.fail(`no losses of ${id}`);
    };
    const names = async (id: string) => (await tandem.events(id)).map(({ name }) => name);

    test('paused it commits a checkpoint and exits, and resumed it ends with the same bytes', async () => {
      const { id } = await submit();
      await atStep(id, 40);
      await tandem.post(`/runs/${id}/pause`);
      const paused = await tandem.until(id, ({ status }) => status === 'paused');
      expect(paused.attempts[0]?.roles[0]).toMatchObject({ state: 'exited', exit_code: 0 });
      const [stopped] = (await tandem.checkpoints(id)).filter(({ purposes }) => purposes.includes('stop'));
      expect(stopped?.step).toBeLessThan(STEPS);
      await tandem.post(`/runs/${id}/resume`);
      const run = await tandem.untilSucceeded(id);
      expect(await names(id)).toContain('resumed');
      expect((await losses(run)).steps).toHaveLength(STEPS);
      expect(await final(run)).toEqual(undisturbed);
    });

    test('asked to stop where a checkpoint is due anyway, it commits that step once', async () => {
      const { id } = await submit({ save_steps: 1 });
      await atStep(id, 20);
      await tandem.post(`/runs/${id}/pause`);
      const paused = await tandem.until(id, ({ status }) => status === 'paused');
      expect(paused.attempts[0]?.roles[0]).toMatchObject({ state: 'exited', exit_code: 0 });
    });

    test('killed it is restarted from its newest checkpoint, and ends with the same bytes', async () => {
      const { id } = await submit();
      process.kill(pidOf(await atStep(id, 60), 'trainer'), 'SIGKILL');
      const run = await tandem.untilSucceeded(id);
      expect(run.attempts).toHaveLength(2);
      expect(await names(id)).toContain('resumed');
      expect((await losses(run)).steps).toHaveLength(STEPS);
      expect(await final(run)).toEqual(undisturbed);
    });

    // The rest does not depend on where checkpoints lie.
    if (where !== DIRECTORY) return;

    test('reports each step, saves as it is asked to, learns, and succeeds', async () => {
      const { id } = await submit();
      const run = await tandem.untilSucceeded(id);
      const { steps, values } = await losses(run);
      expect(steps).toEqual(Array.from({ length: STEPS }, (_, step) => step + 1));
      expect(values.at(-1)).toBeLessThan(0.1 * values[0]!);
      expect(run).toMatchObject({ reason: 'completed', progress: { step: STEPS, total_steps: STEPS } });
      expect((await tandem.checkpoints(id)).map(({ step }) => step)).toContain(STEPS);
      expect(await final(run)).toEqual(undisturbed);
    });

    test('goes on training while the control plane is killed, and loses no record', async () => {
      const { id } = await submit();
      await atStep(id, 40);
      await tandem.kill();
      await tandem.start();
      const run = await tandem.untilSucceeded(id);
      expect(run.attempts).toHaveLength(1);
      expect((await losses(run)).steps).toHaveLength(STEPS);
      expect(await final(run)).toEqual(undisturbed);
    });

    test('says why it fails, with the exit code that means the same', async () => {
      const { id } = await submit({ learning_rate: 10, max_steps: 1000 });
      const run = await tandem.until(id, ({ status }) => status === 'failed');
      expect(run).toMatchObject({ reason: 'nan_loss', message: expect.stringContaining('The loss is') });
      expect(run.attempts.at(-1)?.roles[0]).toMatchObject({ exit_code: 68 });
    });
  });
}
