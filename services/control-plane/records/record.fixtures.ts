import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Evaluation } from '../../contracts/evaluation.ts';
import type { Component, EventRecord, LogRecord, MetricsRecord, TrainerRecord } from '../../contracts/record.ts';
import type { LogLevel } from '../../contracts/run-spec/logging.ts';
import { openDatabase } from '../../platform/database.ts';
import { createLogger } from '../../platform/logger.ts';
import { createRecordService, type RecordService, type RecordServiceOptions } from './record.service.ts';
import { recordTables } from './record.tables.ts';

/** For tests: records by number, and a service over a directory and a database of its own. */
export const RUN = 'run-aaaaaaaa';

export const quietLog = createLogger({ level: 'error', terminal: null });

const time = (n: number) => new Date(Date.UTC(2026, 10, 20, 9, 0, 0) + n * 1000).toISOString();

export function logRecord(
  n: number,
  message = `line ${n}`,
  component: Component = 'training',
  level: LogLevel = 'INFO',
): LogRecord {
  return { n, time: time(n), kind: 'log', component, level, message };
}

export function metricsRecord(n: number, step: number, values: MetricsRecord['values']): TrainerRecord {
  return { n, time: time(n), kind: 'metrics', step, epoch: step / 100, samples: step * 4, values };
}

export function evaluationRecord(n: number, step: number, change: Partial<Evaluation> = {}): TrainerRecord {
  const evaluation: Evaluation = {
    step,
    is_baseline: step === -1,
    accuracy: 0.5,
    correct_answers: 5,
    total_samples: 10,
    avg_reward: 0.5,
    median_reward: 0.5,
    std_reward: 0.1,
    min_reward: 0,
    max_reward: 1,
    eval_time: 1.5,
    ...change,
  };
  return { n, time: time(n), kind: 'evaluation', evaluation };
}

export function progressRecord(n: number, step: number): TrainerRecord {
  return {
    n,
    time: time(n),
    kind: 'progress',
    phase: 'training',
    step,
    total_steps: 100,
    epoch: 0,
    elapsed_seconds: n,
    eta_seconds: null,
  };
}

export function eventRecord(n: number, name: EventRecord['name'], rest: Partial<EventRecord> = {}): TrainerRecord {
  return { n, time: time(n), kind: 'event', name, message: `${name} happened`, ...rest };
}

export interface RecordFixture {
  home: string;
  records: RecordService;
  /** What `onIndexed` was told, as `<attempt>:<n>`. */
  indexed: string[];
  /** The same files and database, as a control plane finds them that has just started. */
  reopen(options?: Partial<RecordServiceOptions>): RecordService;
  close(): void;
}

export function openRecords(): RecordFixture {
  const home = mkdtempSync(join(tmpdir(), 'tandem-records-'));
  const indexed: string[] = [];
  let db = openDatabase({ path: join(home, 'tandem.db'), migrations: [recordTables] });
  const create = (options: Partial<RecordServiceOptions> = {}) =>
    createRecordService({
      db,
      directory: join(home, 'records'),
      now: () => 0,
      log: quietLog,
      onIndexed: ({ attempt, records }) => indexed.push(...records.map(({ n }) => `${attempt}:${n}`)),
      ...options,
    });
  return {
    home,
    indexed,
    records: create(),
    reopen: (options) => {
      db.close();
      db = openDatabase({ path: join(home, 'tandem.db'), migrations: [recordTables] });
      return create(options);
    },
    close: () => {
      db.close();
      rmSync(home, { recursive: true });
    },
  };
}
