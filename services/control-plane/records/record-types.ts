import type { Evaluation } from '../../contracts/evaluation.ts';
import type { Component, LogRecord, TrainerRecord } from '../../contracts/record.ts';
import type { LogLevel } from '../../contracts/run-spec/logging.ts';

/** Position in the records of a run: everything up to record `n` of `attempt` has been seen. `offset` is a hint for the next read. */
export interface Cursor {
  attempt: number;
  n: number;
  offset?: number;
}

export interface RecordEntry {
  attempt: number;
  record: TrainerRecord;
}

/** Which records are wanted; what is left out is not filtered by. `level` means this severity and above. */
export interface RecordFilter {
  kinds?: readonly TrainerRecord['kind'][];
  components?: readonly Component[];
  level?: LogLevel;
  attempt?: number;
}

export interface RecordPage {
  entries: RecordEntry[];
  /** Hand this in to get what comes next. */
  cursor: Cursor;
  /** Whether there is more already. */
  more: boolean;
}

/** A record file as far as it is indexed: `high` records in `size` bytes. It only ever grows behind that. */
export interface RecordFileView {
  attempt: number;
  path: string;
  high: number;
  size: number;
}

export interface RecordBatch {
  run: string;
  attempt: number;
  records: readonly TrainerRecord[];
}

/** How an attempt ended, by its own words. */
export interface Outcome {
  name: 'finished' | 'failed';
  reason: string | null;
  message: string;
  remedy: string | null;
  data: Record<string, unknown>;
}

export type LogLine = LogRecord & { attempt: number };

export interface LogQuery {
  run: string;
  component?: Component | undefined;
  /** This severity and above. */
  level: LogLevel;
  attempt?: number | undefined;
  /** The last so many lines. */
  tail: number;
}

export type MetricValue = number | 'NaN' | 'Infinity' | '-Infinity';

export interface MetricQuery {
  run: string;
  names?: readonly string[] | undefined;
  fromStep: number;
  toStep?: number | undefined;
  /** Points per series at most. */
  points: number;
}

export interface RowQuery {
  /** The metrics that a row may hold. */
  names: readonly string[];
  /** Only steps that are a multiple of it. */
  every: number;
  fromStep: number;
  toStep: number;
}

export interface Series {
  name: string;
  steps: number[];
  values: MetricValue[];
}

/** Values of one step. A metric that was not recorded there is absent; NaN and infinities are numbers here. */
export interface MetricRow {
  step: number;
  epoch: number;
  samples: number;
  values: Record<string, number>;
}

export interface EvaluationEntry {
  attempt: number;
  n: number;
  /** When it was recorded, ISO 8601. */
  time: string;
  evaluation: Evaluation;
}

/** What an attempt starts from: record `record` (covered by the checkpoint) of an earlier attempt of the same run, or nothing. */
export interface ResumePoint {
  attempt: number;
  resumedFromAttempt: number | null;
  record: number;
  step: number | null;
}
