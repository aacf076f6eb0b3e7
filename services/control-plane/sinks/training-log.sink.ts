import { join } from 'node:path';
import { makeDirectory, writeFileAtomic } from '../../platform/atomic-file.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { formatCursor } from '../records/cursor.ts';
import type { RecordService } from '../records/record.service.ts';
import type { Sink, SinkTarget } from './sink.ts';
import { type EvaluationRow, renderTrainingLog, trainingLogMetrics } from './training-log.ts';

const MIN_INTERVAL_MS = 5000;

/**
 * `training_log.json`: written whole and replaced in one rename, so it is valid JSON whenever it is read. Written at once after an evaluation, a
 * checkpoint and the end, and otherwise at most every five seconds while records come.
 */
export function createTrainingLogSink({
  target,
  records,
  checkpoints,
  now,
}: {
  target: SinkTarget;
  records: Pick<RecordService, 'rows' | 'evaluationEntries' | 'positionAt' | 'end'>;
  checkpoints: Pick<CheckpointService, 'resolve'>;
  now: () => number;
}): Sink {
  const path = join(target.tree, 'training_log.json');
  const { run, spec, outputDir } = target;
  const metrics = trainingLogMetrics(spec.method);
  let written = { at: Number.NEGATIVE_INFINITY, state: '', milestone: '' };

  const evaluations = (): EvaluationRow[] =>
    records
      .evaluationEntries(run)
      .filter(({ evaluation }) => !evaluation.is_baseline)
      .map(({ evaluation }) => ({ evaluation, step: evaluation.step, ...records.positionAt(run, evaluation.step) }));

  const render = (final: boolean, history: EvaluationRow[]) => {
    const manifest = checkpoints.resolve(run, 'best');
    const evaluation = history.find(({ step }) => step === manifest?.step)?.evaluation ?? null;
    const best = manifest && { manifest, evaluation, step: manifest.step, ...records.positionAt(run, manifest.step) };
    const rows = records.rows(run, { names: metrics, every: spec.training.logging_steps, includeLast: final });
    return renderTrainingLog({ spec, outputDir, rows, evaluations: history, best: best ?? null, final });
  };

  return {
    name: path,
    wakesOn: ['records', 'checkpoints'],
    async catchUp(final) {
      const history = evaluations();
      const milestone = `${history.length}/${checkpoints.resolve(run, 'best')?.name}/${final}`;
      const state = `${formatCursor(records.end(run))}/${milestone}`;
      if (state === written.state) return;
      const at = now();
      if (milestone === written.milestone && at - written.at < MIN_INTERVAL_MS) return;
      await makeDirectory(target.tree);
      await writeFileAtomic(path, `${JSON.stringify(render(final, history), null, 1)}\n`);
      written = { at, state, milestone };
    },
  };
}
