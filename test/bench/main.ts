import { parseArgs } from 'node:util';
import { runApiBench } from './api.ts';
import { runAsyncBench } from './async.ts';
import { runCheckpointBench } from './checkpoint.ts';
import { runLogsBench } from './logs.ts';
import { runQloraBench } from './qlora.ts';
import { runRecordsBench } from './records.ts';
import { runRestartBench } from './restart.ts';
import { runRestartDockerBench } from './restart-docker.ts';
import { runRolloutBench } from './rollout.ts';
import { runSchedulerBench } from './scheduler.ts';
import { runStartBench } from './start.ts';
import type { Bench } from './support/bench.ts';
import { runTrainerBench } from './trainer.ts';

const benches: Readonly<Record<string, { readonly what: string; readonly run: Bench }>> = {
  api: { what: 'lists and metrics with 100,000 runs against 100', run: runApiBench },
  async: {
    what: 'GRPO steps with rollouts that go on while the policy is trained, against waiting for them',
    run: runAsyncBench,
  },
  checkpoint: { what: 'checkpoints to a real MinIO and back; steps beside a save', run: runCheckpointBench },
  logs: { what: "Docker's logs taken apart, and a thousand of them followed", run: runLogsBench },
  qlora: { what: 'memory of training all weights, an adapter, and an adapter on 4 bits', run: runQloraBench },
  records: { what: 'records taken in a second; queries over a long run against a short one', run: runRecordsBench },
  restart: { what: 'a control plane killed over 100 live processes takes them over', run: runRestartBench },
  'restart-docker': { what: 'the same over 100 containers of the fake Docker daemon', run: runRestartDockerBench },
  rollout: {
    what: 'completions of the embedded server at 1, 8 and 32 at a time; conversations with reuse and without',
    run: runRolloutBench,
  },
  scheduler: { what: 'rounds of the GPU queue with 1,000 and 10,000 runs that wait', run: runSchedulerBench },
  start: { what: 'a pair of containers started against the docker client doing the same', run: runStartBench },
  trainer: {
    what: 'steps of SFT, DPO and GRPO on each engine against PyTorch and plain JavaScript',
    run: runTrainerBench,
  },
};

const { values, positionals } = parseArgs({
  options: { full: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [name, ...rest] = positionals;
const bench = name === undefined || rest.length > 0 ? undefined : benches[name];
if (bench === undefined) {
  const list = Object.entries(benches).map(([each, { what }]) => `  ${each.padEnd(14)} ${what}`);
  console.error(
    [name === undefined ? 'which bench?' : `there is no bench ${positionals.join(' ')}`, ...list].join('\n'),
  );
  process.exitCode = 64;
} else {
  const result = await bench.run((line) => console.log(line), { full: values.full });
  console.log(JSON.stringify(result));
}
