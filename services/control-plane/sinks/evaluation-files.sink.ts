import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Evaluation } from '../../contracts/evaluation.ts';
import { makeDirectory, writeFileAtomic } from '../../platform/atomic-file.ts';
import type { RecordService } from '../records/record.service.ts';
import type { EvaluationEntry } from '../records/record-types.ts';
import type { Sink, SinkTarget } from './sink.ts';

/** The keys of an evaluation file, in order (requirement M8). Rubric counts are present where the environment reports them. */
const KEYS = [
  'step',
  'is_baseline',
  'accuracy',
  'correct_answers',
  'total_samples',
  'attempted_answer',
  'avg_reward',
  'median_reward',
  'std_reward',
  'min_reward',
  'max_reward',
  'avg_score',
  'avg_hits',
  'found_correct_profile',
  'read_correct_profile',
  'avg_turns',
  'avg_search_attempts',
  'eval_time',
] as const satisfies readonly (keyof Evaluation)[];

/**
 * `eval_logs/eval_step_%04d.json` for each evaluation on the clean axis, and `baseline_eval.json`. An evaluation that a resume superseded loses its
 * file until it is taken again; its record stays. A run that has taken no baseline has its parent's, whose name `run` then says.
 */
export function createEvaluationFilesSink({
  target,
  records,
}: {
  target: SinkTarget;
  records: Pick<RecordService, 'evaluationEntries' | 'lastEvaluated' | 'resumePoints'>;
}): Sink {
  const directory = join(target.tree, 'eval_logs');
  const written = new Map<string, string>();
  let seen = '';

  const write = async (path: string, content: string) => {
    if (written.get(path) === content) return;
    if ((await readFile(path, 'utf8').catch(() => null)) !== content) await writeFileAtomic(path, content);
    written.set(path, content);
  };

  const parentsBaseline = () => {
    const { parent } = target;
    const found = parent === null ? undefined : baselineIn(records.evaluationEntries(parent));
    return found && { ...found, run: parent };
  };

  return {
    name: directory,
    wakesOn: ['records'],
    async catchUp() {
      // Each step wakes this up, and few bring an evaluation.
      const state = JSON.stringify([records.lastEvaluated(target.run), records.resumePoints(target.run)]);
      if (state === seen) return;
      const entries = records.evaluationEntries(target.run);
      const wanted = new Map(
        entries.filter(({ evaluation }) => !evaluation.is_baseline).map((entry) => [fileName(entry), entry]),
      );
      const baseline = baselineIn(entries) ?? parentsBaseline();
      if (baseline !== undefined) {
        await makeDirectory(target.tree);
        await write(join(target.tree, 'baseline_eval.json'), toText(baseline));
      }
      if (wanted.size > 0) await makeDirectory(directory);
      for (const [name, entry] of wanted) await write(join(directory, name), toText(statistics(entry.evaluation)));
      for (const name of await readdir(directory).catch(() => [])) {
        if (!/^eval_step_\d{4,}\.json$/.test(name) || wanted.has(name)) continue;
        await rm(join(directory, name), { force: true });
        written.delete(join(directory, name));
      }
      seen = state;
    },
  };
}

function fileName({ evaluation }: EvaluationEntry): string {
  return `eval_step_${String(evaluation.step).padStart(4, '0')}.json`;
}

function baselineIn(entries: readonly EvaluationEntry[]): Record<string, unknown> | undefined {
  const entry = entries.find(({ evaluation }) => evaluation.is_baseline);
  if (entry === undefined) return undefined;
  const { evaluation, time } = entry;
  return { ...statistics(evaluation), step: -1, is_baseline: true, timestamp: evaluation.timestamp ?? time };
}

function statistics(evaluation: Evaluation): Record<string, unknown> {
  return Object.fromEntries(KEYS.filter((key) => evaluation[key] !== undefined).map((key) => [key, evaluation[key]]));
}

function toText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
