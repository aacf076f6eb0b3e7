import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeTinyTraining, type TinyTraining } from '../checkpoint/tiny-training.fixture.ts';
import { writeCheckpoint } from '../checkpoint/write-checkpoint.ts';
import { testAttempt, testSpec } from '../test-support/attempt.ts';
import { startTestControlPlane, type TestControlPlane } from '../test-support/control-plane.ts';
import { createSaveWorker, type SaveWorker } from './save-worker.ts';
import { buffersOf } from './snapshot-buffers.ts';

/** The thread is the built one: `npm run build` first. */
let tiny: TinyTraining;
let plane: TestControlPlane;
let worker: SaveWorker;
let work: string;
const task = { model: '/m', train: '/t', validation: '/v' };
const commit = {
  ...{ step: 4, purposes: ['step' as const], policy_version: 4, record: 9, epoch: 0.5, best_metric: null },
  ...{ metrics: {}, inputs: {} },
};

beforeAll(async () => {
  tiny = await makeTinyTraining();
});
afterAll(() => tiny.remove());
beforeEach(async () => {
  const directory = tiny.freshDirectory();
  work = path.join(directory, 'work');
  const attempt = testAttempt({ spec: testSpec(task, {}), task, directory });
  plane = await startTestControlPlane({ attempt, directory: path.join(directory, 'store') });
  worker = createSaveWorker({ url: plane.url, attempt: 'run-test0000.a1', token: plane.token });
});
afterEach(async () => {
  await worker.close();
  await plane.close();
});

test('the tensors are moved, not copied, and the checkpoint is the same as one written here', async () => {
  const files = await writeCheckpoint(tiny.freshDirectory(), tiny.snapshot());
  const snapshot = tiny.snapshot();
  const buffers = buffersOf(snapshot);
  worker.hold(snapshot);
  expect(buffers.length).toBe(snapshot.weights.weights.size + 2 * snapshot.optimizer.length);
  expect(buffers.map(({ byteLength }) => byteLength)).toEqual(buffers.map(() => 0));
  await worker.save(work, commit);
  expect(plane.manifests[0]?.files).toEqual(files);
  expect(await readdir(work)).toEqual([]);
  const stored = await readFile(path.join(plane.directory, 'checkpoint-4', 'training_state.json'), 'utf8');
  expect(JSON.parse(stored)).toMatchObject({ global_step: 40 });
});

test.runIf(process.platform === 'linux')(
  'the thread leaves the processors to training: it alone has the lowest priority',
  async () => {
    const niceOf = async () => {
      const threads = await readdir('/proc/self/task');
      const stats = await Promise.all(
        threads.map((id) => readFile(`/proc/self/task/${id}/stat`, 'utf8').catch(() => '')),
      );
      // Field 19, counted behind the program's name, which may hold spaces (proc_pid_stat(5)).
      return stats.map((stat) => Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]));
    };
    worker.hold(tiny.snapshot());
    await worker.save(work, commit);
    expect((await niceOf()).filter((nice) => nice === 19)).toHaveLength(1);
  },
);

test('a save that failed says its reason and remedy, and can be tried again with what is held', async () => {
  worker.hold(tiny.snapshot());
  const file = path.join(tiny.modelDirectory, 'config.json');
  await expect(worker.save(path.join(file, 'work'), commit)).rejects.toMatchObject({
    name: 'TrainerError',
    reason: 'trainer_crashed',
    message: expect.stringContaining('ENOTDIR'),
    remedy: expect.stringMatching(/./),
  });
  await worker.save(work, commit);
  expect(plane.manifests).toHaveLength(1);
});

test('waiting for a control plane that is away ends when it is given up', async () => {
  plane.failWith = 503;
  worker.hold(tiny.snapshot());
  const saved = worker.save(work, commit);
  setTimeout(() => worker.giveUp('the deadline passed'), 100);
  await expect(saved).rejects.toThrow('the deadline passed');
});

test('a save does not outlive the attempt', async () => {
  plane.failWith = 503;
  worker.hold(tiny.snapshot());
  const saved = worker.save(work, commit).catch((error: unknown) => error);
  await worker.close();
  expect(await saved).toMatchObject({ message: expect.stringContaining('the attempt is over') });
});

test('what a tensor shares its memory with stays here', () => {
  const snapshot = tiny.snapshot();
  const shared = new Float32Array(100);
  const [first, ...rest] = snapshot.optimizer;
  const optimizer = [{ ...first!, expAvg: shared.subarray(10, 20) }, ...rest];
  expect(buffersOf({ ...snapshot, optimizer })).not.toContain(shared.buffer);
});
