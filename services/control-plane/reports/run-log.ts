import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Evaluation } from '../../contracts/evaluation.ts';
import { type RunStatus, restStatuses } from '../../contracts/run.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import type { RecordService } from '../records/record.service.ts';
import type { MetricRow } from '../records/record-types.ts';
import {
  type Ending,
  type EvaluationRow,
  endingOf,
  renderEnding,
  renderHead,
  renderTrainRows,
  renderValidationRow,
  trainingLogConfig,
  trainingLogMetrics,
  trainRow,
  validationMetrics,
  validationRow,
} from '../sinks/training-log.ts';
import { judgeLog, type Row, type TrainingLog } from './training-log.ts';

/** What the log of a run is made from. */
export interface LoggedRun {
  id: string;
  spec: RunSpec;
  output_dir: string;
  status: RunStatus;
}

export interface RunLogServices {
  records: Pick<RecordService, 'rows' | 'stepAfterRecords' | 'lastStep' | 'evaluations' | 'positionAt'>;
  checkpoints: Pick<CheckpointService, 'resolve'>;
}

/** Rows that are read at a time, whatever their steps; other work gets its turn between. */
const ROWS_AT_ONCE = 1000;

/** The text of a run's training log as its tree has it, from the records, in pieces. A run that is resumed meanwhile shows later steps as they are by then. Rejects with the reason of `signal`. */
export async function* renderRunLog(
  run: LoggedRun,
  services: RunLogServices,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const { method } = run.spec;
  yield renderHead(run.spec, run.output_dir);
  let before = 0;
  for await (const rows of trainPages(run, services, signal)) {
    yield renderTrainRows(method, rows, before);
    before += rows.length;
  }
  const { validations, ending } = readEnding(run, services);
  const rows = validations.map((row) => renderValidationRow(method, row));
  yield renderEnding(method, rows, ending);
}

/** The same log to be looked at. Rejects with the reason of `signal`. */
export async function readRunLog(run: LoggedRun, services: RunLogServices, signal: AbortSignal): Promise<TrainingLog> {
  const { method } = run.spec;
  const train: Row[] = [];
  for await (const rows of trainPages(run, services, signal)) for (const row of rows) train.push(trainRow(method, row));
  const { validations, ending } = readEnding(run, services);
  const log = judgeLog({
    config: trainingLogConfig(run.spec, run.output_dir),
    train_history: train,
    val_history: validations.map((row) => validationRow(method, row)),
    ...endingOf(method, ending),
  });
  return { ...log, method };
}

async function* trainPages(
  { id, spec, status }: LoggedRun,
  { records }: RunLogServices,
  signal: AbortSignal,
): AsyncGenerator<MetricRow[]> {
  const names = trainingLogMetrics(spec.method);
  const every = spec.training.logging_steps;
  const last = records.lastStep(id, names);
  for (let fromStep = 0; fromStep < last; ) {
    signal.throwIfAborted();
    const toStep = Math.min(last - 1, records.stepAfterRecords(id, fromStep, ROWS_AT_ONCE) ?? last);
    yield records.rows(id, { names, every, fromStep, toStep });
    fromStep = toStep + 1;
    await yieldToOthers();
  }
  // The last step of a run that has ended is shown whatever its number.
  if (last >= 0) yield records.rows(id, { names, every: isFinal(status) ? 1 : every, fromStep: last, toStep: last });
}

function readEnding(
  { id, spec, output_dir, status }: LoggedRun,
  { records, checkpoints }: RunLogServices,
): { validations: EvaluationRow[]; ending: Ending } {
  const metrics = spec.method === 'grpo' ? validationMetrics : [];
  const rowAt = (step: number, evaluation: Evaluation | null): EvaluationRow => {
    const [row] = records.rows(id, { names: metrics, every: 1, fromStep: step, toStep: step });
    return { step, evaluation, values: row?.values ?? {}, ...records.positionAt(id, step) };
  };
  const evaluations = records.evaluations(id).filter(({ is_baseline: isBaseline }) => !isBaseline);
  const manifest = checkpoints.resolve(id, 'best');
  const atBest = evaluations.find(({ step }) => step === manifest?.step) ?? null;
  const best = manifest === undefined ? null : { manifest, ...rowAt(manifest.step, atBest) };
  return {
    validations: evaluations.map((evaluation) => rowAt(evaluation.step, evaluation)),
    ending: { outputDir: output_dir, best, final: isFinal(status) },
  };
}

function isFinal(status: RunStatus): boolean {
  return restStatuses.includes(status);
}
