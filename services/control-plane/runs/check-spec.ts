import { missingKeys } from '../../contracts/needed-keys.ts';
import { renameAliases, resolveRunSpec, type SpecIssue } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { ProblemError } from '../api/problem-error.ts';
import { checkRewards, noRewards } from './check-rewards.ts';
import { judgeMemory } from './judge-memory.ts';
import { judgeModel, sourceConfig } from './judge-model.ts';
import { findModel, type ModelSource, type ModelSourceOptions, trainedDefaults } from './model-source.ts';
import { PathRefusedError } from './path-policy.ts';
import { type Host, placeRun } from './placement.ts';
import { fitSequenceLength, modelPositions } from './sequence-length.ts';
import { evaluationWarnings, specWarnings } from './spec-warnings.ts';
import { trackerWarnings } from './tracker-warnings.ts';
import { trainerMemory } from './trainer-memory.ts';

export interface CheckOptions extends ModelSourceOptions {
  readHost: () => Promise<Host>;
  /** Of the control plane; only whether keys are set is looked at. */
  environment: Readonly<Record<string, string | undefined>>;
  /** The model, where it is known already: what a run was made from may be gone, or its revision mean another commit, by the time it goes on. */
  known?: (spec: RunSpec) => Promise<ModelSource | null>;
}

/** A spec that this machine can run, and what its names mean here. */
export interface CheckedSpec {
  spec: RunSpec;
  renamed: Record<string, string>;
  warnings: string[];
  profile: string;
  model: ModelSource;
  /** For an evaluation: the adapter that the training of its checkpoint started from. */
  baseAdapter?: string | null;
  /** Null for an evaluation. */
  train_data: string | null;
  val_data: string | null;
  reward_files: string[];
}

/**
 * Resolves what a user wrote and checks it against this machine, all at once, so that one answer holds everything that is wrong.
 * @throws ProblemError invalid-spec, or cannot-place when the host is the reason
 */
export async function checkSpec(written: unknown, options: CheckOptions): Promise<CheckedSpec> {
  const resolved = resolveRunSpec(written, trainedDefaults(written, options));
  const keys = missingKeys(written, options.environment).map((message) => ({ path: 'environment.type', message }));
  if (!resolved.ok) throw refusal('invalid-spec', [...keys, ...resolved.issues]);
  const { spec, renamed } = resolved;
  const host = await options.readHost();
  const placement = placeRun(spec, host);
  const issues: SpecIssue[] = [...keys, ...refuseWithoutEvaluation(spec)];
  const attempt = <T>(path: string, work: () => Promise<T>): Promise<T | null> =>
    work().catch((error: unknown) => {
      if (!(error instanceof PathRefusedError)) throw error;
      issues.push({ path, message: error.message });
      return null;
    });

  const model = await attempt(
    'model.name',
    async () => (await options.known?.(spec)) ?? (await findModel(spec.model, options)),
  );
  const isEvaluation = spec.task === 'evaluate';
  const train = isEvaluation
    ? null
    : await attempt('data.train_data', () => requireData(spec.data.train_data, options));
  const val = spec.data.val_data;
  const validation = val === null ? null : await attempt('data.val_data', () => requireData(val, options));
  const rewards = spec.method === 'grpo' ? await checkRewards(spec.reward, options.paths) : noRewards;
  issues.push(...rewards.issues);
  const config = model === null ? null : await attempt('model.name', () => sourceConfig(model, options));
  const fitted = fitSequenceLength(spec, { limit: modelPositions(config), isWritten: writesSequenceLength(written) });
  // Of what training takes; an evaluation takes less.
  const memory = isEvaluation
    ? { issues: [], warnings: [] }
    : judgeMemory(config, fitted.spec, trainerMemory(options.environment));
  issues.push(...fitted.issues, ...(model === null ? [] : await judgeModel(model, config, spec)), ...memory.issues);
  if (!placement.ok) throw refusal('cannot-place', [...placement.refusals, ...issues]);
  if (issues.length > 0 || model === null) throw refusal('invalid-spec', issues);
  const { inference } = placement.spec;
  const placed = { ...fitted.spec, inference };
  return {
    spec: placed,
    renamed,
    warnings: [
      ...placement.warnings,
      ...(isEvaluation ? evaluationWarnings(placed) : [...specWarnings(placed, host), ...memory.warnings]),
      ...warningsOf(model),
      ...trackerWarnings(placed, options.environment),
    ],
    profile: placement.profile.name,
    model,
    train_data: train,
    val_data: validation,
    reward_files: rewards.files,
  };
}

function warningsOf(model: ModelSource): string[] {
  return model.kind === 'fetched' && model.found.warning !== null ? [model.found.warning] : [];
}

function writesSequenceLength(written: unknown): boolean {
  const { model } = renameAliases(written as Record<string, unknown>).document;
  return typeof model === 'object' && model !== null && 'max_seq_length' in model;
}

async function requireData(written: string | null, { paths }: CheckOptions): Promise<string> {
  if (written === null) {
    throw new PathRefusedError(
      'is needed: a JSONL, JSON or CSV file with a prompt and a completion or answer in each row',
    );
  }
  return await paths.existing(written, 'file or directory');
}

/** Settings that wait for an evaluation which never comes. */
function refuseWithoutEvaluation({ data, training }: RunSpec): SpecIssue[] {
  if (data.val_data !== null) return [];
  const issues: SpecIssue[] = [];
  const message = 'needs evaluations: set data.val_data as well';
  if (training.early_stopping_patience !== null) issues.push({ path: 'training.early_stopping_patience', message });
  if (training.target_accuracy !== null) issues.push({ path: 'training.target_accuracy', message });
  return issues;
}

export function refusal(type: 'invalid-spec' | 'cannot-place', issues: readonly SpecIssue[]): ProblemError {
  const [first, ...rest] = issues;
  const more = rest.length === 0 ? '' : ` (and ${rest.length} more, see issues)`;
  const detail =
    first === undefined
      ? 'The spec is not valid.'
      : `${first.path === '' ? '' : `${first.path}: `}${first.message}${more}`;
  return new ProblemError(type, detail, { issues });
}

/** Says of which key a path was refused. */
export async function refuseIn<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PathRefusedError) throw refusal('invalid-spec', [{ path, message: error.message }]);
    throw error;
  }
}
