import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import type { Role, Run } from '../../contracts/run.ts';
import type { dryRunSchema } from '../../contracts/run-operations.ts';
import { ProblemError } from '../api/problem-error.ts';
import { describeOrigin, inBytes, totalBytes } from '../models/model-files.ts';
import { shapeOf } from '../placement/shape-of.ts';
import { inferenceRole, trainerRole } from '../runtimes/role-specs.ts';
import { type CheckedSpec, checkSpec, refuseIn } from './check-spec.ts';
import { continuedModel } from './continued-model.ts';
import { hasServer } from './inference-of.ts';
import { prepareModel } from './model-source.ts';
import { continueRun, refuseShortSteps, requireStill } from './resume-run.ts';
import { createRunId } from './run-id.ts';
import { notBegun, type RunRow } from './run-row.ts';
import type { Remember, RunServiceOptions } from './run-service-options.ts';
import type { StartPoint, SubmissionPlan } from './submission-plan.ts';

export type DryRun = z.input<typeof dryRunSchema>;
type Reply = { status: 200 | 201; body: Run };

/** Checks what was written against this machine; it may have to ask a model hub. */
export function checkSubmission(written: unknown, options: RunServiceOptions): Promise<CheckedSpec> {
  return checkSpec(written, { ...options, run: options.runs.get, known: (spec) => continuedModel(spec, options) });
}

/** Checks everything about a submission and decides what it will do; changes nothing. */
export async function planSubmission(checked: CheckedSpec, options: RunServiceOptions): Promise<SubmissionPlan> {
  const { paths } = options;
  const id = createRunId();
  const wanted = checked.spec.training.output_dir ?? `outputs/${id}`;
  const tree = await refuseIn('training.output_dir', () => paths.writable(wanted));
  const occupant = await findOccupant(tree, checked, options);
  const start = await findStart(checked, options);
  if (start.parent !== null && checked.spec.task === 'train') refuseShortSteps(checked.spec, start.parent.step, false);
  return { ...checked, id, tree, output_dir: paths.shown(tree), occupant, start };
}

/** A plan as `dry_run` answers it. */
export function showPlan(plan: SubmissionPlan, options: RunServiceOptions): DryRun {
  const { runtime, programs, checkpoints, work } = options;
  const continued = plan.occupant?.run != null && plan.occupant.action === 'continue' ? plan.occupant.run : null;
  const attempt = continued === null ? 1 : (options.attempts.current(continued.id)?.number ?? 0) + 1;
  const id = continued?.id ?? plan.id;
  const { train_data, val_data, reward_files, start } = plan;
  const run = { id, spec: plan.spec, train_data, val_data, reward_files, ...modelOf(plan, join(work, id, 'model')) };
  const tensorParallel = plan.spec.inference.vllm.tensor_parallel_size;
  const profile = options.profiles.get(plan.profile) ?? null;
  const serves = hasServer(plan.spec);
  const shape = profile && shapeOf(profile, { serves, tensorParallel });
  const seats = shape === null ? { trainer: [], inference: [] } : options.queue.preview(shape);
  const share = (role: Role) => ({ gpus: seats[role], epoch: null, shmGib: profile?.[role].shm_gib ?? 0 });
  const shared = { run, attempt, runtime, programs, profile };
  const startDirectory = start.from.kind === 'directory' ? start.from.path : null;
  const server = { ...shared, share: share('inference'), start: 1, vllmImage: options.vllmImage };
  const roles = [
    ...(serves ? [inferenceRole(server)] : []),
    trainerRole({ ...shared, share: share('trainer'), token: '', agentUrl: options.agentUrl(), startDirectory }),
  ];
  const latest = continued && checkpoints.resolve(continued.id, 'latest');
  return {
    spec: plan.spec,
    renamed: plan.renamed,
    warnings: plan.warnings,
    placement: {
      profile: plan.profile,
      roles: roles.map(({ identity, gpus, command }) => ({
        role: identity.role,
        gpus: [...gpus],
        command: [...command],
      })),
    },
    output_dir: plan.spec.training.output_dir === null ? 'outputs/<run id>' : plan.output_dir,
    continues: latest ? `${plan.output_dir}/checkpoints/${latest.name}` : null,
  };
}

/** Puts a run into the queue; one that ended in the same tree is continued instead. */
export async function submitRun(
  checked: CheckedSpec,
  options: RunServiceOptions,
  { view, remember }: { view: (id: string) => Run; remember: Remember },
): Promise<Reply> {
  const plan = await planSubmission(checked, options);
  const { occupant } = plan;
  if (occupant?.run != null && occupant.action === 'continue') {
    return await continueRun(occupant.run, plan, options, { view, remember });
  }
  try {
    return await insertRun(plan, options, { view, remember });
  } catch (error) {
    // Its id is used by nobody else, and the next try has another one.
    if (options.runs.get(plan.id) === undefined)
      await rm(join(options.work, plan.id), { recursive: true, force: true });
    throw error;
  }
}

async function insertRun(
  plan: SubmissionPlan,
  options: RunServiceOptions,
  { view, remember }: { view: (id: string) => Run; remember: Remember },
): Promise<Reply> {
  const { occupant } = plan;
  const { db, runs, events, trees } = options;
  const row = newRunRow(plan, await prepareModelFor(plan, options), options);
  // What can fail is behind us: a tree that was moved while its run stays where it is would be lost to the database.
  requireStill(row.start_from, options);
  const aside =
    occupant === null
      ? null
      : await trees.moveAside(plan.tree, occupant.run?.id ?? (occupant as { marker: string }).marker);
  if (aside === null) await trees.claim(plan.tree, plan.id);
  const reply = db.transaction((): Reply => {
    requireStill(row.start_from, options);
    if (occupant?.run != null && aside !== null) {
      runs.update(occupant.run.id, { tree: aside, output_dir: options.paths.shown(aside) });
    }
    runs.insert(row);
    events.append({
      run: plan.id,
      name: 'status_changed',
      actor: 'user',
      status: 'queued',
      reason: 'submitted',
      message: `queued: submitted${fetchNote(plan)}.`,
      data: { ...(aside === null ? {} : { moved_aside: aside }), ...(row.model_origin && { model: row.model_origin }) },
    });
    const made: Reply = { status: 201, body: view(plan.id) };
    remember(made);
    return made;
  });
  await trees.claim(plan.tree, plan.id);
  if (occupant?.run != null && aside !== null) await options.runFiles.save(occupant.run.id);
  await options.runFiles.settled(plan.id);
  return reply;
}

function fetchNote({ model }: CheckedSpec): string {
  if (model.kind !== 'fetched') return '';
  const { origin, files } = model.found.listing;
  const fetches = model.found.isComplete ? 'is there already' : `is fetched first, ${inBytes(totalBytes(files))}`;
  return `; ${describeOrigin(origin)} ${fetches}`;
}

/** Puts what another run trained in place, where that is the model, and keeps what is to be fetched of one that is fetched later. */
export async function prepareModelFor(
  plan: SubmissionPlan,
  { work, checkpoints, models, closing }: Pick<RunServiceOptions, 'work' | 'checkpoints' | 'models' | 'closing'>,
): Promise<ModelColumns> {
  const directory = join(work, plan.id, 'model');
  if (plan.model.kind === 'checkpoint') {
    const { manifest } = plan.model;
    await refuseIn('model.name', () => prepareModel(manifest, directory, checkpoints, closing));
  }
  if (plan.model.kind === 'fetched') await models.keep(plan.model.found);
  return modelOf(plan, directory);
}

/** A run that was just submitted. */
export function newRunRow(plan: SubmissionPlan, model: ModelColumns, { now }: RunServiceOptions): RunRow {
  const { spec, start } = plan;
  return {
    id: plan.id,
    name: spec.name,
    method: spec.method,
    status: 'queued',
    reason: 'submitted',
    message: 'Waiting for its turn.',
    priority: spec.priority,
    labels: spec.labels,
    spec,
    warnings: plan.warnings,
    profile: plan.profile,
    output_dir: plan.output_dir,
    tree: plan.tree,
    ...model,
    train_data: plan.train_data,
    val_data: plan.val_data,
    reward_files: plan.reward_files,
    parent_run: start.parent?.run ?? null,
    parent_attempt: start.parent?.attempt ?? null,
    parent_step: start.parent?.step ?? null,
    start_from: start.from,
    created_at: now(),
    queued_at: now(),
    ...notBegun,
  };
}

type ModelColumns = Pick<
  RunRow,
  'model_directory' | 'base_adapter_directory' | 'model_run' | 'model_origin' | 'model_due'
>;

function modelOf({ model, baseAdapter }: CheckedSpec, prepared: string): ModelColumns {
  const alone = {
    base_adapter_directory: baseAdapter ?? null,
    model_run: null,
    model_origin: null,
    model_due: 0,
  } as const;
  if (model.kind === 'directory') return { ...alone, model_directory: model.directory };
  if (model.kind === 'fetched') {
    const { directory, listing, isComplete } = model.found;
    return { ...alone, model_directory: directory, model_origin: listing.origin, model_due: isComplete ? 0 : 1 };
  }
  const model_run = model.manifest.run;
  if (!model.isAdapter) return { ...alone, model_directory: prepared, model_run };
  const { directory, origin, isThere } = model.base;
  return {
    model_directory: directory,
    base_adapter_directory: prepared,
    model_run,
    model_origin: origin,
    model_due: isThere ? 0 : 1,
  };
}

async function findOccupant(
  tree: string,
  { spec }: CheckedSpec,
  { runs, trees }: RunServiceOptions,
): Promise<SubmissionPlan['occupant']> {
  const fresh = spec.training.start_fresh;
  const run = runs.byTree(tree);
  if (run !== undefined) {
    if (['queued', 'starting', 'running', 'stopping'].includes(run.status)) {
      const remedy = 'wait for it, cancel it, or choose another training.output_dir';
      throw new ProblemError('conflict', `${tree} is the tree of ${run.id}, which is ${run.status}; ${remedy}.`);
    }
    return { run, action: fresh ? 'move_aside' : 'continue' };
  }
  const state = await trees.inspect(tree);
  if (state.kind === 'empty' || (state.kind === 'owned' && state.onlyMarker)) return null;
  if (state.kind === 'owned' && fresh) return { run: null, marker: state.marker.run };
  const whose =
    state.kind === 'owned'
      ? `belongs to ${state.marker.run}, which this installation does not know`
      : `holds ${state.entries} entries that no run has written`;
  const remedy =
    state.kind === 'owned'
      ? 'choose another training.output_dir, or set training.start_fresh: true to move it aside'
      : 'choose another training.output_dir, or move them away';
  throw new ProblemError('conflict', `${tree} ${whose}; ${remedy}.`);
}

/** What `checkpoint.resume_from_checkpoint` means. */
async function findStart({ spec }: CheckedSpec, options: RunServiceOptions): Promise<StartPoint> {
  const written = spec.checkpoint.resume_from_checkpoint;
  if (written === null) return { from: { kind: 'beginning' }, parent: null };
  const key = 'checkpoint.resume_from_checkpoint';
  const named = /^runs\/(run-[a-z0-9]{8})(?:\/(.+))?$/.exec(written);
  if (named !== null) return checkpointStart(named[1] as string, named[2] ?? 'latest', options);
  const path = await refuseIn(key, async () => options.paths.absolute(written));
  const located = await options.trees.locate(path);
  if (located !== null && options.runs.get(located.marker.run) !== undefined) {
    return checkpointStart(located.marker.run, located.checkpoint, options);
  }
  const directory = await refuseIn(key, () => options.paths.existing(path, 'directory'));
  return { from: { kind: 'directory', path: directory }, parent: null };
}

function checkpointStart(id: string, name: string, { runs, checkpoints }: RunServiceOptions): StartPoint {
  if (runs.get(id) === undefined) {
    throw new ProblemError('checkpoint-unusable', `There is no run ${id}; GET /runs lists those there are.`);
  }
  const manifest = checkpoints.resolve(id, name);
  if (manifest === undefined) {
    throw new ProblemError(
      'checkpoint-unusable',
      `${id} has no checkpoint ${name}; GET /runs/${id}/checkpoints lists those there are.`,
    );
  }
  const { run, attempt, step } = manifest;
  return { from: { kind: 'checkpoint', run, attempt, step }, parent: { run, attempt, step } };
}
