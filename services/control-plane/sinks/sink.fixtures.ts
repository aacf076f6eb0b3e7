import { join } from 'node:path';
import { type RunSpec, type RunSpecInput, runSpecSchema } from '../../contracts/run-spec.ts';
import { type CheckpointFixture, openCheckpoints, quietLog, RUN } from '../checkpoints/checkpoint.fixtures.ts';
import { openRecords, type RecordFixture } from '../records/record.fixtures.ts';
import type { SinkTarget } from './sink.ts';

/** For tests: a run with records, checkpoints and a tree of its own. */
export { quietLog, RUN };

export interface SinkFixture {
  records: RecordFixture;
  checkpoints: CheckpointFixture;
  tree: string;
  target(spec?: Omit<RunSpecInput, 'model'>, change?: Partial<SinkTarget>): SinkTarget;
  close(): void;
}

export function specOf(change: Omit<RunSpecInput, 'model'> = {}): RunSpec {
  return runSpecSchema.parse({ model: { name: 'models/tiny' }, ...change });
}

export function openSinkFixture(): SinkFixture {
  const records = openRecords();
  const checkpoints = openCheckpoints();
  const tree = join(checkpoints.home, 'outputs/run');
  return {
    records,
    checkpoints,
    tree,
    target: (spec = {}, change = {}) => ({
      run: RUN,
      parent: null,
      spec: specOf(spec),
      tree,
      outputDir: 'outputs/run',
      levels: () => ({ training: 'DEBUG', rollout: 'DEBUG', eval: 'DEBUG', performance: 'DEBUG' }),
      status: () => 'running',
      ...change,
    }),
    close: () => {
      records.close();
      checkpoints.close();
    },
  };
}
