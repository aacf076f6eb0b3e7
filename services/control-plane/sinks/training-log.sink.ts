import { join } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Evaluation } from '../../contracts/evaluation.ts';
import { makeDirectory } from '../../platform/atomic-file.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { formatCursor } from '../records/cursor.ts';
import type { RecordService } from '../records/record.service.ts';
import type { Cursor } from '../records/record-types.ts';
import { createGrowingFile } from './growing-file.ts';
import type { Sink, SinkTarget } from './sink.ts';
import {
  type EvaluationRow,
  renderEnding,
  renderHead,
  renderTrainRows,
  renderValidationRow,
  trainingLogMetrics,
  validationMetrics,
} from './training-log.ts';

const MIN_INTERVAL_MS = 5000;
/** A larger file is replaced less often in proportion, so that however long a run is no more bytes are written in a second. */
const BYTES_PER_INTERVAL = 2 ** 20;
/** Steps whose rows are read at a time; other work gets its turn between. */
const STEPS_AT_ONCE = 2000;

/** What is known of the run, and how much of it the beginning of the file holds. */
interface Known {
  /** Which records count; another one means that the file is made anew. */
  readonly lineage: string;
  cursor: Cursor;
  /** The newest record that may change the file; lines of logs do not. */
  changed: Cursor;
  /** The last step with a row's metrics. It may still get some: steps before it are closed. */
  last: number;
  /** Rows up to this step are in the beginning of the file, `rows` of them. */
  closed: number;
  rows: number;
  readonly evaluations: Map<number, Evaluation>;
  /** Rendered rows of evaluations at closed steps. */
  readonly settled: Map<number, string>;
  evaluated: number;
}

/**
 * `training_log.json`: replaced in one rename, so it is valid JSON whenever it is read. Written at once after an evaluation, a checkpoint, a resume
 * and the end, and otherwise when metrics have come, at most every five seconds and for each MiB of the file. An update reads the new records and renders the new rows alone
 * (`growing-file.ts`); all is read again after a start of the control plane and after a resume that superseded something.
 */
export function createTrainingLogSink({
  target,
  records,
  checkpoints,
  now,
}: {
  target: SinkTarget;
  records: Pick<
    RecordService,
    'rows' | 'lastStep' | 'evaluationEntries' | 'positionAt' | 'end' | 'since' | 'resumePoints'
  >;
  checkpoints: Pick<CheckpointService, 'resolve'>;
  now: () => number;
}): Sink {
  const path = join(target.tree, 'training_log.json');
  const { run, spec, outputDir } = target;
  const { method } = spec;
  const every = spec.training.logging_steps;
  const names = trainingLogMetrics(method);
  const file = createGrowingFile(path);
  let known: Known | null = null;
  let written = { at: Number.NEGATIVE_INFINITY, restMs: 0, state: '', milestone: '' };

  const lineageNow = () => JSON.stringify(records.resumePoints(run));

  /** In one turn of the event loop, so that all of it is of the same moment. */
  const readAll = (): Known => {
    const end = records.end(run);
    const found = records.evaluationEntries(run).filter(({ evaluation }) => !evaluation.is_baseline);
    return {
      lineage: lineageNow(),
      cursor: end,
      changed: end,
      last: records.lastStep(run, names),
      closed: -1,
      rows: 0,
      evaluations: new Map(found.map(({ evaluation }) => [evaluation.step, evaluation])),
      settled: new Map(),
      evaluated: found.length,
    };
  };

  /** Takes in what has come; false when it does not merely follow what is known. */
  const follow = async (at: Known): Promise<boolean> => {
    for (let more = true; more; ) {
      const page = await records.since(run, at.cursor, { filter: { kinds: ['metrics', 'evaluation'] } });
      for (const { attempt, record } of page.entries) {
        if (attempt < at.cursor.attempt) return false;
        at.changed = { attempt, n: record.n };
        if (record.kind === 'metrics') at.settled.delete(record.step);
        if (record.kind === 'metrics' && names.some((name) => name in record.values)) {
          if (record.step <= at.closed) return false;
          at.last = Math.max(at.last, record.step);
        }
        if (record.kind === 'evaluation' && !record.evaluation.is_baseline) {
          at.evaluations.set(record.evaluation.step, record.evaluation);
          at.settled.delete(record.evaluation.step);
          at.evaluated += 1;
        }
      }
      at.cursor = page.cursor;
      more = page.more;
    }
    return at.lineage === lineageNow();
  };

  /** Adds the rows before `last` to the beginning of the file. */
  const extend = async (at: Known, signal: AbortSignal) => {
    if (at.closed < 0) await file.begin(renderHead(spec, outputDir));
    const atOnce = Math.max(STEPS_AT_ONCE, Math.ceil((at.last - at.closed) / 1000));
    while (at.closed < at.last - 1) {
      signal.throwIfAborted();
      const toStep = Math.min(at.last - 1, at.closed + atOnce);
      const rows = records.rows(run, { names, every, fromStep: at.closed + 1, toStep });
      if (rows.length > 0) await file.append(renderTrainRows(method, rows, at.rows));
      at.rows += rows.length;
      at.closed = toStep;
      await yieldToOthers();
    }
  };

  const rowAt = (step: number, evaluation: Evaluation | null): EvaluationRow => {
    const metrics = method === 'grpo' ? validationMetrics : [];
    const values = records.rows(run, { names: metrics, every: 1, fromStep: step, toStep: step })[0]?.values ?? {};
    return { step, evaluation, values, ...records.positionAt(run, step) };
  };

  const validationsOf = (at: Known): string[] => {
    const rows = [...at.evaluations].map(([step, evaluation]): [number, string] => {
      const row = at.settled.get(step) ?? renderValidationRow(method, rowAt(step, evaluation));
      if (step < at.last) at.settled.set(step, row);
      return [step, row];
    });
    return rows.sort(([a], [b]) => a - b).map(([, row]) => row);
  };

  /** Returns the bytes of the file. */
  const write = async (at: Known, final: boolean, signal: AbortSignal): Promise<number> => {
    await makeDirectory(target.tree);
    await extend(at, signal);
    const open = records.rows(run, { names, every: final ? 1 : every, fromStep: at.last, toStep: at.last });
    const manifest = checkpoints.resolve(run, 'best');
    const best = manifest && { manifest, ...rowAt(manifest.step, at.evaluations.get(manifest.step) ?? null) };
    const ending = renderEnding(method, validationsOf(at), { outputDir, best: best ?? null, final });
    return file.publish(renderTrainRows(method, open, at.rows) + ending);
  };

  return {
    name: path,
    wakesOn: ['records', 'checkpoints'],
    // For what came while it rested; nothing else may come.
    everyMs: MIN_INTERVAL_MS,
    async catchUp(final, signal) {
      const before = known;
      // What fails half-way is not known: all is read again.
      known = null;
      const at = before !== null && (await follow(before)) ? before : readAll();
      const best = checkpoints.resolve(run, 'best');
      const milestone = `${at.lineage}/${at.evaluated}/${best?.attempt}/${best?.step}/${final}`;
      const state = `${formatCursor(at.changed)}/${milestone}`;
      const since = now() - written.at;
      // A clock that was set back makes nobody wait.
      const isRecent = since >= 0 && since < written.restMs;
      if (state !== written.state && !(isRecent && milestone === written.milestone)) {
        const begun = now();
        const bytes = await write(at, final, signal);
        const restMs = MIN_INTERVAL_MS * Math.max(1, bytes / BYTES_PER_INTERVAL);
        written = { at: begun, restMs, state, milestone };
      }
      if (final) await file.discard();
      else known = at;
    },
  };
}
