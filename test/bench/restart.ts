import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Run } from '../../services/contracts/run.ts';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { type Bench, round, table } from './support/bench.ts';
import { type ControlPlaneProcess, controlPlaneProcess } from './support/control-plane-process.ts';

const PROCESSES = 100;
const ENDED_WHILE_DEAD = 30;
const DEADLINE_MS = 120_000;

/**
 * Kills a control plane with SIGKILL over 100 live processes and starts it again: once with all of them alive, once after 30 have ended while
 * nobody watched, each with an exit code of its own. Then the others end.
 */
export const runRestartBench: Bench = async (print) => {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-restart-'));
  mkdirSync(join(directory, 'pipes'));
  await makeTinyModel(join(directory, 'model'));
  writeFileSync(join(directory, 'train.jsonl'), '{"prompt":"1+1=","answer":"2"}\n');
  writeFileSync(join(directory, 'trainer.sh'), trainerScript(directory));
  const plane = await controlPlaneProcess({
    directory,
    main: 'test/bench/support/adoption-main.js',
    environment: { TANDEM_SLOTS: String(PROCESSES), TANDEM_START_TIMEOUT: '3600' },
  });
  let open: string[] = [];
  const codes = new Map<string, number>();
  const end = async (attempts: readonly string[]) => {
    for (const attempt of attempts) {
      const code = codes.size % 2 === 0 ? 0 : 1 + (codes.size % 125);
      codes.set(attempt, code);
      await writeFile(join(directory, 'pipes', attempt), `${code}\n`);
    }
    open = open.filter((attempt) => !codes.has(attempt));
  };

  try {
    const first = await plane.start();
    for (let i = 0; i < PROCESSES; i++) await plane.post('/runs', spec);
    await until(async () => (await readdir(join(directory, 'pipes'))).length === PROCESSES, 'all trainers to start');
    open = await readdir(join(directory, 'pipes'));
    print(`${open.length} trainers live`);

    await plane.end('SIGKILL');
    const alive = await plane.start();
    await plane.end('SIGKILL');
    await end(open.slice(0, ENDED_WHILE_DEAD));
    await sleep(500);
    const some = await plane.start();
    await end(open);
    await until(async () => (await runs(plane, 'failed,succeeded')).length === PROCESSES, 'all runs to end');

    const all = await Promise.all((await runs(plane)).map(({ id }) => plane.get<Run>(`/runs/${id}`)));
    const lost = all.filter((run) => {
      const [attempt] = run.attempts;
      return attempt?.roles[0]?.exit_code !== codes.get(`${run.id}.a${attempt?.number}`);
    });
    const starts = readFileSync(join(directory, 'starts'), 'utf8').trim().split('\n');
    const twice = starts.length - new Set(starts).size + all.filter(({ attempts }) => attempts.length > 1).length;
    print(
      table([
        ['start', 'adopted', 'seconds from exec to ready'],
        ['empty home', first.adopted, first.seconds],
        ['all alive', alive.adopted, alive.seconds],
        [`${ENDED_WHILE_DEAD} ended meanwhile`, some.adopted, some.seconds],
      ]),
    );
    return {
      bench: 'restart',
      baseline: `a start on an empty home: ${round(first.seconds)} s`,
      adopted: alive.adopted,
      seconds: round(Math.max(alive.seconds, some.seconds)),
      started_twice: twice,
      lost_exit_codes: lost.length,
    };
  } finally {
    await end(open).catch(() => undefined);
    await plane.end('SIGTERM');
    rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
};

const spec = {
  method: 'sft',
  model: { name: 'model' },
  data: { train_data: 'train.jsonl' },
  recovery: { max_restarts: 0 },
};

/** Notes its start, then waits without work for the exit code it shall end with. */
function trainerScript(directory: string): string {
  return `
echo "$TANDEM_ATTEMPT_ID" >> '${directory}/starts'
pipe='${directory}/pipes/'$TANDEM_ATTEMPT_ID
mkfifo "$pipe"
read -r code < "$pipe"
if [ "$code" = 0 ]; then
  printf '{"n":1,"time":"2026-11-20T09:00:00.000Z","kind":"event","name":"finished","reason":"completed","message":"All steps done."}\\n' > "$TANDEM_WORKSPACE/spool.jsonl"
fi
exit "$code"
`;
}

async function runs(plane: ControlPlaneProcess, statuses?: string): Promise<Run[]> {
  const { runs: all } = await plane.get<{ runs: Run[] }>('/runs?limit=1000');
  return statuses === undefined ? all : all.filter(({ status }) => statuses.split(',').includes(status));
}

async function until(reached: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = performance.now() + DEADLINE_MS; !(await reached()); await sleep(50)) {
    if (performance.now() > deadline) throw new Error(`waited ${DEADLINE_MS / 1000} s for ${what}`);
  }
}
