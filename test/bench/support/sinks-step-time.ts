import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { startEngine } from '../../../services/model/backend.ts';
import { createWasmKernels } from '../../../services/model/kernels/wasm-kernels.ts';
import { makeTinyModel } from '../../../services/model/tiny-model.ts';
import { benchModels } from './bench-models.ts';
import { median, timed } from './measure.ts';
import { createTrainingStep } from './training-step.ts';

const ROUNDS = 12;
const STEPS = 10;

/**
 * Milliseconds of training steps, each of which reports its records to a control plane on the same machine: with the sinks of the run open and
 * all its trackers on, and without, in turns. `behind`: records that the slowest of them had not come to at the end.
 */
export async function measureSinksStepTime(
  directory: string,
): Promise<{ on: number; off: number; behind: { sink: string; records: number }[] }> {
  const model = join(directory, 'model');
  await makeTinyModel(model, benchModels['2 x 64']);
  const step = await createTrainingStep(model, createWasmKernels(await startEngine({ engine: 'wasm' })));
  const servers = fork(resolve(import.meta.dirname, 'tracker-servers-main.js'));
  const [at] = (await once(servers, 'message')) as [{ wandb: string; wandbKey: string; mlflow: string }];
  const controlPlane = fork(resolve(import.meta.dirname, 'sinks-main.js'), [
    ...[join(directory, 'control-plane'), at.wandb, at.wandbKey, at.mlflow],
  ]);
  let behind: { sink: string; records: number }[] = [];
  try {
    await once(controlPlane, 'message');
    controlPlane.on('message', (message: { behind: typeof behind }) => (behind = message.behind));
    for (let i = 0; i < 3; i++) await step.sft();
    const times = { on: [] as number[], off: [] as number[] };
    const play = async (run: string, into: number[]) => {
      for (let i = 0; i < STEPS; i++) {
        // As a trainer does, it is sent while the next step is made.
        controlPlane.send({ run, steps: 1 });
        into.push(await timed(step.sft));
        await new Promise(setImmediate);
      }
    };
    for (let round = 0; round < ROUNDS; round++) {
      if (round % 2 === 0) await play('run-without0', times.off);
      await play('run-withsink', times.on);
      if (round % 2 === 1) await play('run-without0', times.off);
    }
    return { on: median(times.on), off: median(times.off), behind };
  } finally {
    controlPlane.kill('SIGKILL');
    servers.kill('SIGKILL');
  }
}
