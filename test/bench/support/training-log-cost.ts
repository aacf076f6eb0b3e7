import { statSync } from 'node:fs';
import { join } from 'node:path';
import { runSpecSchema } from '../../../services/contracts/run-spec.ts';
import { createTrainingLogSink } from '../../../services/control-plane/sinks/training-log.sink.ts';
import { trainingLogMetrics } from '../../../services/control-plane/sinks/training-log.ts';
import { openBenchRecords, stepRecords } from './bench-records.ts';
import { median, timed } from './measure.ts';
import { seedRun } from './seed-records.ts';

const RUN = 'run-aaaaaaaa';
const MEASURED = 100;

export interface TrainingLogCost {
  steps: number;
  /** Of a step: the sink's call after it, in a run of one step per second that logs each. */
  msPerStep: number;
  /** The same for the processor, all threads. */
  cpuMsPerStep: number;
  /** Of the call that replaces the file, the median. */
  msPerWrite: number;
  mib: number;
}

/** What `training_log.json` costs the control plane at the end of a run of so many steps. */
export async function measureTrainingLog(directory: string, steps: number): Promise<TrainingLogCost> {
  const { db, records } = openBenchRecords(join(directory, `log-${steps}`));
  const tree = join(directory, `tree-${steps}`);
  try {
    seedRun(db, RUN, { steps, names: trainingLogMetrics('grpo'), positions: true });
    let second = 0;
    const spec = runSpecSchema.parse({ model: { name: 'models/tiny' }, training: { logging_steps: 1 } });
    const levels = () => ({ training: 'INFO', rollout: 'INFO', eval: 'INFO', performance: 'INFO' }) as const;
    const sink = createTrainingLogSink({
      target: { run: RUN, parent: null, spec, tree, outputDir: 'outputs/run', levels, status: () => 'running' },
      records,
      checkpoints: { resolve: () => undefined },
      now: () => second * 1000 + performance.now(),
    });
    const { signal } = new AbortController();
    await sink.catchUp(false, signal);
    let n = steps;
    const times: number[] = [];
    let cpu = 0;
    for (let step = steps + 1; step <= steps + MEASURED; step++) {
      await records.ingest(
        RUN,
        1,
        stepRecords(step, () => ++n),
      );
      second += 1;
      const before = process.cpuUsage();
      times.push(await timed(() => sink.catchUp(false, signal)));
      const used = process.cpuUsage(before);
      cpu += (used.user + used.system) / 1000;
    }
    const { size } = statSync(join(tree, 'training_log.json'));
    const writes = [...times].sort((a, b) => b - a).slice(0, MEASURED / 5);
    return {
      steps,
      msPerStep: times.reduce((sum, time) => sum + time, 0) / MEASURED,
      cpuMsPerStep: cpu / MEASURED,
      msPerWrite: median(writes),
      mib: size / 2 ** 20,
    };
  } finally {
    db.close();
  }
}
