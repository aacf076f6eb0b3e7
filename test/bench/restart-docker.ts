import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Run } from '../../services/contracts/run.ts';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { exposePort, outsideAddress } from '../support/expose-port.ts';
import { startFakeDocker } from '../support/fake-docker/fake-docker.ts';
import type { ScriptControl } from '../support/fake-docker/scripted.ts';
import { startMinio } from '../support/s3-servers.ts';
import { s3Settings } from '../support/tandem-on-s3.ts';
import { type Bench, round, table } from './support/bench.ts';
import { controlPlaneProcess } from './support/control-plane-process.ts';

const CONTAINERS = 100;
const ENDED_WHILE_DEAD = 30;
const DEADLINE_MS = 120_000;

/**
 * `restart` with containers of the fake Docker daemon, which shares the cores: a control plane is killed over 100 live containers and started again, once with all of
 * them alive, once after 30 have ended while nobody watched, each with a code of its own.
 */
export const runRestartDockerBench: Bench = async (print) => {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-restart-docker-'));
  await makeTinyModel(join(directory, 'model'));
  writeFileSync(join(directory, 'train.jsonl'), '{"prompt":"1+1=","answer":"2"}\n');
  const live = new Map<string, ScriptControl>();
  const fake = await startFakeDocker({
    behaviours: (_body, name) =>
      name.includes('-input-') ? { exitCode: 0 } : { control: (control) => void live.set(name, control) },
  });
  const server = await startMinio();
  const outside = await exposePort(outsideAddress() ?? '', Number(new URL(server.endpoint).port));
  const plane = await controlPlaneProcess({
    directory,
    environment: {
      ...s3Settings(server, outside.origin),
      ...{ TANDEM_RUNTIME: 'docker', DOCKER_HOST: fake.host, TANDEM_IMAGE: 'tandem' },
      // Its trainers are scripted, and call nobody.
      ...{ TANDEM_AGENT_ADDR: '127.0.0.1:0', TANDEM_AGENT_URL: 'http://127.0.0.1:1' },
      ...{ TANDEM_SLOTS: `${CONTAINERS}`, TANDEM_START_TIMEOUT: '3600' },
    },
  });
  const codes = new Map<string, number>();
  const end = (names: readonly string[]) => {
    for (const name of names) {
      const code = 1 + (codes.size % 125);
      codes.set(name, code);
      live.get(name)?.exit(code);
    }
  };
  const runs = async () => (await plane.get<{ runs: Run[] }>('/runs?limit=1000')).runs;

  try {
    const first = await plane.start();
    for (let i = 0; i < CONTAINERS; i++) await plane.post('/runs', spec);
    await until(async () => live.size === CONTAINERS, 'all trainers to start');
    print(`${live.size} trainers live`);

    await plane.end('SIGKILL');
    const alive = await plane.start();
    await plane.end('SIGKILL');
    const names = [...live.keys()];
    end(names.slice(0, ENDED_WHILE_DEAD));
    const some = await plane.start();
    end(names.slice(ENDED_WHILE_DEAD));
    await until(async () => (await runs()).every(({ status }) => status === 'failed'), 'all runs to end');

    const all = await Promise.all((await runs()).map(({ id }) => plane.get<Run>(`/runs/${id}`)));
    const lost = all.filter(({ id, attempts }) => {
      const name = names.find((each) => each.endsWith(`-${id}.a1.trainer`));
      return attempts[0]?.roles[0]?.exit_code !== codes.get(name ?? '');
    });
    const trainers = fake.starts.filter((name) => name.endsWith('.trainer'));
    const twice = trainers.length - new Set(trainers).size + all.filter(({ attempts }) => attempts.length > 1).length;
    print(
      table([
        ['start', 'adopted', 'seconds from exec to ready'],
        ['empty home', first.adopted, first.seconds],
        ['all alive', alive.adopted, alive.seconds],
        [`${ENDED_WHILE_DEAD} ended meanwhile`, some.adopted, some.seconds],
      ]),
    );
    return {
      bench: 'restart-docker',
      baseline: `a start on an empty home: ${round(first.seconds)} s`,
      adopted: alive.adopted,
      seconds: round(Math.max(alive.seconds, some.seconds)),
      started_twice: twice,
      lost_exit_codes: lost.length,
    };
  } finally {
    await plane.end('SIGKILL');
    outside.close();
    await fake.close();
    await server.close();
    rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
};

const spec = {
  method: 'sft',
  model: { name: 'model' },
  data: { train_data: 'train.jsonl' },
  recovery: { max_restarts: 0 },
};

async function until(reached: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = performance.now() + DEADLINE_MS; !(await reached()); await sleep(50)) {
    if (performance.now() > deadline) throw new Error(`waited ${DEADLINE_MS / 1000} s for ${what}`);
  }
}
