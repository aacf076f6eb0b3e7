import { stat } from 'node:fs/promises';
import type { z } from 'zod';
import type { Manifest } from '../../contracts/checkpoint.ts';
import { mergeSpecs, overrideSpec, renameAliases } from '../../contracts/resolve-run-spec.ts';
import type { Run } from '../../contracts/run.ts';
import type { resumeRequestSchema } from '../../contracts/run-operations.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { ProblemError } from '../api/problem-error.ts';
import { changeStatus } from './change-status.ts';
import { type CheckedSpec, checkSpec, refusal, refuseIn } from './check-spec.ts';
import { recallModel } from './model-source.ts';
import { PathRefusedError } from './path-policy.ts';
import { createRunId } from './run-id.ts';
import { notBegun, type RunRow, type StartFrom } from './run-row.ts';
import type { Remember, RunServiceOptions } from './run-service-options.ts';
import type { SubmissionPlan } from './submission-plan.ts';

export type ResumeRequest = z.output<typeof resumeRequestSchema>;
type Reply = { status: 200 | 201; body: Run };
interface Answer {
  view: (id: string) => Run;
  remember: Remember;
}

const resumable = ['paused', 'succeeded', 'failed', 'cancelled'] as const;

/** Continues a run from one of its checkpoints, as itself or as a fork. */
export async function resumeRun(
  run: RunRow,
  request: ResumeRequest,
  options: RunServiceOptions,
  answer: Answer,
): Promise<Reply> {
  if (run.spec.task === 'evaluate') refuseEvaluation(run, request);
  if (!request.fork) requireResumable(run);
  // An evaluation is of one checkpoint; its own lineage has none.
  const manifest = run.spec.task === 'evaluate' ? undefined : await findCheckpoint(run, request.from, options);
  const model = await refuseIn('model.name', () => recallModel(run, options));
  const checked = await checkSpec(changedSpec(run, request), {
    ...options,
    run: options.runs.get,
    known: async () => model,
  });
  if (request.fork) return await fork(run, manifest, checked, request, options, answer);
  refuseChanges(run.spec, checked.spec);
  if (manifest !== undefined) await refuseOtherData(run, checked);
  if (manifest !== undefined) refuseShortSteps(checked.spec, manifest.step, run.status === 'succeeded');
  const message = manifest === undefined ? 'Resumed from the beginning.' : `Resumed from ${labelOf(manifest)}.`;
  return await requeue(
    run,
    { manifest, checked, message, data: { from: request.from, overrides: request.overrides } },
    options,
    answer,
  );
}

/** Continues the run whose tree a submission names, with the spec that was submitted. */
export async function continueRun(
  run: RunRow,
  plan: SubmissionPlan,
  options: RunServiceOptions,
  answer: Answer,
): Promise<Reply> {
  requireResumable(run);
  refuseChanges(run.spec, plan.spec);
  const manifest = chosenCheckpoint(run, plan, options);
  if (manifest !== undefined) await refuseOtherData(run, plan);
  if (manifest !== undefined) refuseShortSteps(plan.spec, manifest.step, run.status === 'succeeded');
  const message =
    manifest === undefined
      ? `No checkpoint found in ${run.output_dir}, starting from the beginning.`
      : `Found latest checkpoint: ${run.output_dir}/checkpoints/${manifest.name}`;
  return await requeue(run, { manifest, checked: plan, message, data: { from: 'output_dir' } }, options, answer);
}

/** Refuses a run that would have nothing left to do, or less than nothing. */
export function refuseShortSteps(spec: RunSpec, step: number, succeeded: boolean): void {
  const { max_steps: steps } = spec.training;
  if (steps === null || steps > step || (steps === step && !succeeded)) return;
  const done = steps === step ? 'all of them' : `${step} steps`;
  const message = `${steps} steps are asked for, and checkpoint-${step} has done ${done}; raise it, start from an earlier checkpoint, or set training.start_fresh: true`;
  throw refusal('invalid-spec', [{ path: 'training.max_steps', message }]);
}

function requireResumable(run: RunRow): void {
  if ((resumable as readonly string[]).includes(run.status)) return;
  throw new ProblemError('conflict', `${run.id} is ${run.status}; it can be resumed once it has paused or ended.`);
}

/** An evaluation that was interrupted is done again, of the same checkpoint; for anything else there is another one to be asked for. */
function refuseEvaluation(run: RunRow, { from, fork }: ResumeRequest): void {
  const remedy = 'POST /evaluations makes another evaluation, of any checkpoint';
  if (run.status === 'succeeded') throw new ProblemError('conflict', `${run.id} has been evaluated; ${remedy}.`);
  if (fork || from !== 'latest') {
    throw new ProblemError('conflict', `${run.id} is an evaluation, which has no checkpoints of its own; ${remedy}.`);
  }
}

async function findCheckpoint(run: RunRow, from: string, options: RunServiceOptions): Promise<Manifest | undefined> {
  const name = /^(latest|best|final|(a\d+\/)?checkpoint-\d+)$/.test(from) ? from : await nameOfPath(run, from, options);
  const manifest = options.checkpoints.resolve(run.id, name);
  if (manifest === undefined && name !== 'latest') {
    throw new ProblemError(
      'checkpoint-unusable',
      `${run.id} has no checkpoint ${name}; GET /runs/${run.id}/checkpoints lists those there are.`,
    );
  }
  return manifest;
}

async function nameOfPath(run: RunRow, from: string, { trees, paths }: RunServiceOptions): Promise<string> {
  const located = await locate(from, { trees, paths });
  if (located?.marker.run === run.id) return located.checkpoint;
  throw new ProblemError(
    'checkpoint-unusable',
    `${from} is neither a checkpoint's name (latest, best, final, checkpoint-<step>, a<attempt>/checkpoint-<step>) nor a path in ${run.output_dir}.`,
  );
}

async function locate(from: string, { trees, paths }: Pick<RunServiceOptions, 'trees' | 'paths'>) {
  try {
    return await trees.locate(paths.absolute(from));
  } catch (error) {
    if (error instanceof PathRefusedError) throw new ProblemError('checkpoint-unusable', `from: ${error.message}`);
    throw error;
  }
}

/** The checkpoint in its own tree that a submission starts from: the latest, unless it names another. */
function chosenCheckpoint(run: RunRow, plan: SubmissionPlan, { checkpoints }: RunServiceOptions): Manifest | undefined {
  const { from } = plan.start;
  if (from.kind === 'beginning') return checkpoints.resolve(run.id, 'latest');
  const own = from.kind === 'checkpoint' && from.run === run.id;
  const manifest = own ? checkpoints.resolve(run.id, `a${from.attempt}/checkpoint-${from.step}`) : undefined;
  if (manifest !== undefined) return manifest;
  throw new ProblemError(
    'conflict',
    `${run.output_dir} is the tree of ${run.id}, and checkpoint.resume_from_checkpoint is none of its checkpoints; ` +
      'choose another training.output_dir, or set training.start_fresh: true',
  );
}

function changedSpec(run: RunRow, { overrides, fork }: ResumeRequest): unknown {
  const { document, issues } = renameAliases(overrides);
  if (issues.length > 0) throw refusal('invalid-spec', issues);
  // A fork has a tree of its own, unless it is told which.
  const base = fork
    ? mergeSpecs(run.spec, { training: { output_dir: null }, checkpoint: { resume_from_checkpoint: null } })
    : run.spec;
  return overrideSpec(base as Record<string, unknown>, document);
}

/** What a checkpoint cannot follow. */
function refuseChanges(before: RunSpec, after: RunSpec): void {
  const fixed: [string, (spec: RunSpec) => unknown][] = [
    ['task', (spec) => spec.task],
    ['method', (spec) => spec.method],
    ['model.name', (spec) => spec.model.name],
    ['model.revision', (spec) => spec.model.revision],
    ['model.use_lora', (spec) => spec.model.use_lora],
    // Other weights under the adapter, which learned what these round.
    ['model.use_4bit', (spec) => spec.model.use_4bit],
    ['model.lora.r', (spec) => spec.model.use_lora && spec.model.lora.r],
    ['model.lora.alpha', (spec) => spec.model.use_lora && spec.model.lora.alpha],
    ['model.lora.target_modules', (spec) => spec.model.use_lora && [...spec.model.lora.target_modules].sort()],
    ['training.output_dir', (spec) => spec.training.output_dir],
  ];
  const issues = fixed
    .filter(([, read]) => JSON.stringify(read(before)) !== JSON.stringify(read(after)))
    .map(([path, read]) => ({
      path,
      message: `was ${JSON.stringify(read(before))} and cannot change within a run; submit a new run instead`,
    }));
  if (issues.length > 0) throw refusal('invalid-spec', issues);
}

/** Its steps and metrics would mean something else from there on. Data that was moved is another matter: the trainer compares the content. */
async function refuseOtherData({ train_data: before }: RunRow, { train_data: after }: CheckedSpec): Promise<void> {
  if (before === null || after === before || (await stat(before).catch(() => null)) === null) return;
  const message = `was ${before} and cannot change within a run; fork it (fork: true) to go on with other data, from its beginning`;
  throw refusal('invalid-spec', [{ path: 'data.train_data', message }]);
}

async function requeue(
  run: RunRow,
  change: { manifest: Manifest | undefined; checked: CheckedSpec; message: string; data: Record<string, unknown> },
  options: RunServiceOptions,
  { view, remember }: Answer,
): Promise<Reply> {
  const { db, runs, now } = options;
  const { manifest, checked, message, data } = change;
  const start = manifest === undefined ? restartFrom(run) : startAt(manifest);
  const reply = db.transaction((): Reply => {
    requireStill(start, options);
    const moved = changeStatus(options, {
      run: run.id,
      from: resumable,
      to: {
        status: 'queued',
        reason: 'resumed',
        message,
        ...columnsOf(checked),
        start_from: start,
        // A pause gives the slot away, not the place among those that wait.
        ...(runs.get(run.id)?.status === 'paused' ? {} : { queued_at: now() }),
        ended_at: null,
        stop: null,
        stop_deadline: null,
        restarts: 0,
        error_restarts: 0,
        restart_at: null,
        files_due: 0,
      },
      actor: 'user',
      data,
    });
    if (!moved) requireResumable(runs.get(run.id) ?? run);
    const made: Reply = { status: 200, body: view(run.id) };
    remember(made);
    return made;
  });
  await options.runFiles.settled(run.id);
  return reply;
}

async function fork(
  run: RunRow,
  manifest: Manifest | undefined,
  checked: CheckedSpec,
  request: ResumeRequest,
  options: RunServiceOptions,
  { view, remember }: Answer,
): Promise<Reply> {
  if (manifest === undefined) {
    throw new ProblemError(
      'checkpoint-unusable',
      `${run.id} has no checkpoint to fork from yet; try again once it has saved one.`,
    );
  }
  refuseChanges({ ...run.spec, training: checked.spec.training }, checked.spec);
  refuseShortSteps(checked.spec, manifest.step, false);
  const { db, runs, events, trees, paths, now } = options;
  const id = createRunId();
  const wanted = checked.spec.training.output_dir ?? `outputs/${id}`;
  const tree = await refuseIn('training.output_dir', () => paths.writable(wanted));
  if (runs.byTree(tree) !== undefined) {
    throw new ProblemError(
      'conflict',
      `${tree} is the tree of ${runs.byTree(tree)?.id}; choose another training.output_dir.`,
    );
  }
  await trees.claim(tree, id);
  const row: RunRow = {
    ...run,
    ...columnsOf(checked),
    id,
    status: 'queued',
    reason: 'resumed',
    message: `Forked from ${labelOf(manifest)}.`,
    tree,
    output_dir: paths.shown(tree),
    parent_run: manifest.run,
    parent_attempt: manifest.attempt,
    parent_step: manifest.step,
    start_from: startAt(manifest),
    created_at: now(),
    queued_at: now(),
    ...notBegun,
  };
  const reply = db.transaction((): Reply => {
    requireStill(row.start_from, options);
    runs.insert(row);
    events.append({
      run: id,
      name: 'status_changed',
      actor: 'user',
      status: 'queued',
      reason: 'resumed',
      message: `queued: forked from ${labelOf(manifest)}.`,
      data: { from: request.from, overrides: request.overrides, parent: run.id },
    });
    const made: Reply = { status: 201, body: view(id) };
    remember(made);
    return made;
  });
  await options.runFiles.settled(id);
  return reply;
}

/** To be asked in the transaction that makes a run start somewhere: the checkpoint may have been deleted since it was chosen. */
export function requireStill(start: StartFrom, { checkpoints }: Pick<RunServiceOptions, 'checkpoints'>): void {
  if (start.kind !== 'checkpoint') return;
  const name = `a${start.attempt}/checkpoint-${start.step}`;
  if (checkpoints.resolve(start.run, name) !== undefined) return;
  throw new ProblemError(
    'checkpoint-unusable',
    `${start.run}/${name} has just been deleted; GET /runs/${start.run}/checkpoints lists those there are.`,
  );
}

function columnsOf({ spec, warnings, profile, train_data, val_data, reward_files }: CheckedSpec) {
  const { name, priority, labels } = spec;
  return { spec, warnings, profile, train_data, val_data, reward_files, name, priority, labels };
}

function startAt({ run, attempt, step }: Manifest): StartFrom {
  return { kind: 'checkpoint', run, attempt, step };
}

/** With nothing saved it starts where it started first. */
function restartFrom({ start_from: from }: RunRow): StartFrom {
  return from.kind === 'latest' ? { kind: 'beginning' } : from;
}

function labelOf({ run, attempt, name }: Manifest): string {
  return `${run}/a${attempt}/${name}`;
}
