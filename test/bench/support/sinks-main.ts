import { join } from 'node:path';
import { runSpecSchema } from '../../../services/contracts/run-spec.ts';
import { createSinkMeter } from '../../../services/control-plane/sinks/sink-meter.ts';
import { createSinks } from '../../../services/control-plane/sinks/sinks.ts';
import { openBenchRecords, quietLog, stepRecords } from './bench-records.ts';

/*
 * Usage: `sinks-main.js <directory>`, forked. Takes the records of steps in, as a control plane does: each message names a run and how many steps it
 * has made. The sinks of `run-withsink` are open, those of `run-without0` are not. Answers each message, with what the sinks have yet to take.
 */
const [directory] = process.argv.slice(2) as [string];
const { records } = openBenchRecords(directory);
const meter = createSinkMeter({ records });
const sinks = createSinks({
  records,
  checkpoints: { resolve: () => undefined, list: () => [], subscribe: () => () => undefined } as never,
  trackers: { open: () => undefined, finish: async () => true },
  meter,
  baseDirectory: directory,
  roots: [],
  now: () => performance.now(),
  log: quietLog,
});
const RUN = 'run-withsink';
sinks.open({
  run: RUN,
  spec: runSpecSchema.parse({ model: { name: 'models/tiny' }, training: { logging_steps: 1 } }),
  tree: join(directory, 'tree'),
  outputDir: 'outputs/run',
  levels: () => ({ training: 'DEBUG', rollout: 'DEBUG', eval: 'DEBUG', performance: 'DEBUG' }),
  status: () => 'running',
});

process.on('message', ({ run, steps }: { run: string; steps: number }) => {
  let n = records.high(run, 1);
  const step = n / 6;
  const batch = Array.from({ length: steps }, (_, at) => stepRecords(step + at + 1, () => ++n)).flat();
  void records.ingest(run, 1, batch).then(() => process.send?.({ behind: meter.read() }));
});
process.on('disconnect', () => process.exit(0));
process.send?.({ behind: [] });
