import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { join, resolve } from 'node:path';
import { trainingStateSchema } from '../../../services/contracts/checkpoint.ts';
import { startEngine } from '../../../services/model/backend.ts';
import { createWasmKernels } from '../../../services/model/kernels/wasm-kernels.ts';
import { makeTinyModel } from '../../../services/model/tiny-model.ts';
import type { CheckpointSnapshot } from '../../../services/trainer/checkpoint/snapshot.ts';
import { schedulerState } from '../../../services/trainer/optimizer/schedule.ts';
import { createSaveWorker } from '../../../services/trainer/saving/save-worker.ts';
import type { S3Server } from '../../support/s3-servers.ts';
import { benchModels } from './bench-models.ts';
import { median, timed } from './measure.ts';
import { createTrainingStep } from './training-step.ts';

const ROUNDS = 6;
const STEPS = 10;
/** Floats of the weights; with the optimizer's moments a checkpoint has three times as many. */
const VALUES = 16 * 2 ** 20;

/**
 * Milliseconds of training steps, alone and with a save always in flight, in turns. The store and the control plane have the lowest priority: they
 * stand for other machines. The copy of the tensors, which is the trainer's own, is not part of it.
 */
export async function measureStepTime(server: S3Server, directory: string) {
  const model = join(directory, 'model');
  await makeTinyModel(model, benchModels['4 x 256']);
  const step = await createTrainingStep(model, createWasmKernels(await startEngine({ engine: 'wasm' })));
  const agent = spawn(
    process.execPath,
    [resolve(import.meta.dirname, 'checkpoint-agent-main.js'), JSON.stringify(server)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const [url] = (await once(agent.stdout!.setEncoding('utf8'), 'data')) as [string];
  for (const pid of [agent.pid, server.pid()]) if (pid !== undefined) setPriority(pid, 19);
  const worker = createSaveWorker({ url: url.trim(), attempt: 'run-bench000.a1', token: 'bench' });
  const times = { alone: [] as number[], saving: [] as number[] };
  let saves = 0;
  try {
    for (let i = 0; i < 3; i++) await step.sft();
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < STEPS; i++) times.alone.push(await timed(step.sft));
      for (let i = 0; i < STEPS; ) {
        worker.hold(snapshotOf(model));
        let inFlight = true;
        const saved = worker.save(join(directory, 'saves'), { ...commit, step: ++saves }).finally(() => {
          inFlight = false;
        });
        for (; inFlight && i < STEPS; i++) {
          times.saving.push(await timed(step.sft));
          await new Promise(setImmediate);
        }
        await saved;
      }
    }
  } finally {
    await worker.close();
    agent.kill('SIGKILL');
    if (server.pid() !== undefined) setPriority(server.pid()!, 0);
  }
  return { alone: median(times.alone), saving: median(times.saving), saves, mib: (3 * VALUES * 4) / 2 ** 20 };
}

const commit = {
  ...{ step: 0, purposes: ['step' as const], policy_version: 1, record: 1, epoch: 0, best_metric: null },
  ...{ metrics: {}, inputs: {} },
};

function snapshotOf(modelDirectory: string): CheckpointSnapshot {
  const [shape, name] = [[VALUES], 'w'];
  const values = () => new Float32Array(VALUES).fill(Math.random());
  return {
    weights: { kind: 'full', configJson: {}, weights: new Map([[name, { shape, data: values() }]]) },
    modelDirectory,
    optimizer: [{ name, shape, step: 1, expAvg: values(), expAvgSq: values() }],
    optimizerOptions: { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0 },
    scheduler: schedulerState({ type: 'constant', learningRate: 1e-3, warmupSteps: 0, totalSteps: 10 }, 1),
    rng: {},
    trainingState: trainingStateSchema.parse({}),
    trainingMetadata: { step: 1, accuracy: null, metrics: {}, config: {} },
  };
}
