import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TrainerRecord } from '../../../services/contracts/record.ts';
import { createRecordService, type RecordService } from '../../../services/control-plane/records/record.service.ts';
import { migrations } from '../../../services/control-plane/schema.ts';
import { type Database, openDatabase } from '../../../services/platform/database.ts';
import { createLogger } from '../../../services/platform/logger.ts';

export const quietLog = createLogger({ level: 'error', terminal: null });

/** Records over files and a database of their own. */
export function openBenchRecords(directory: string): { db: Database; records: RecordService } {
  mkdirSync(directory, { recursive: true });
  const db = openDatabase({ path: join(directory, 'tandem.db'), migrations });
  return {
    db,
    records: createRecordService({ db, directory: join(directory, 'records'), now: Date.now, log: quietLog }),
  };
}

const NAMES = ['train/loss', 'train/avg_reward', 'train/kl', 'train/learning_rate'];
const OTHERS = Array.from({ length: 16 }, (_, i) => `train/metric_${i}`);

/** What a GRPO step reports: twenty metrics, its progress and four lines. */
export function stepRecords(step: number, next: () => number): TrainerRecord[] {
  const common = () => ({ n: next(), time: new Date(1_790_000_000_000 + step * 1000).toISOString() });
  const values = Object.fromEntries([...NAMES, ...OTHERS].map((name, i) => [name, Math.sin(step + i)]));
  const progress = { phase: 'training', step, total_steps: step, epoch: 0, elapsed_seconds: step } as const;
  const message = `Step ${step}: loss 0.1234, reward 0.5678, gradient norm 0.9012`;
  const line = (component: 'training' | 'rollout' | 'performance'): TrainerRecord => {
    return { ...common(), kind: 'log', component, level: 'INFO', message };
  };
  return [
    { ...common(), kind: 'metrics', step, epoch: step / 100, samples: step * 8, values },
    { ...common(), kind: 'progress', ...progress, eta_seconds: null },
    ...(['training', 'rollout', 'rollout', 'performance'] as const).map(line),
  ];
}
