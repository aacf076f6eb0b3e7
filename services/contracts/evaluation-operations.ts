import { z } from 'zod';
import { field } from './field.ts';
import { operation } from './operation.ts';
import { flag, idempotency, JSON_OR_YAML, runBody } from './operation-parts.ts';
import { dryRunSchema } from './run-operations.ts';
import { trainingSpecSchema } from './run-spec/training.ts';
import { methodSchema, runSpecSchema } from './run-spec.ts';

const { name, labels, priority, gpu_profile } = runSpecSchema.shape;

/** POST /evaluations. */
export const evaluationRequestSchema = z
  .strictObject({
    checkpoint: field(
      z.string().min(1).max(512).nullable().default(null),
      "What is evaluated: `runs/<id>/<checkpoint>`, `runs/<id>` for that run's best (else final, else latest), or a checkpoint's path in a run's tree. This or `model`.",
      'runs/run-7k3m9q2d/best',
    ),
    model: field(
      z.string().min(1).max(512).nullable().default(null),
      'A model as it is, to compare with: a model directory, or a hub name. This or `checkpoint`.',
      null,
    ),
    data: field(z.string().min(1), 'Data set to evaluate on, in the format of `data.val_data`.', 'data/test.jsonl'),
    method: field(
      methodSchema.nullable().default(null),
      'How it is measured: `sft` the loss on the completions, `grpo` the rewards of greedy completions, `dpo` how often the chosen answer is preferred. ' +
        'null: as the checkpoint was trained, and `grpo` for a model.',
      'grpo',
    ),
    name,
    labels: field(labels.unwrap().nullable().default(null), "Labels; null: those of the checkpoint's run.", {
      team: 'agents',
    }),
    priority,
    gpu_profile: field(
      gpu_profile.unwrap().default(null),
      "How the GPUs are divided between the roles; null: as for the checkpoint's run.",
      'split-8',
    ),
    max_eval_samples: trainingSpecSchema.shape.max_eval_samples,
    overrides: field(
      z.record(z.string(), z.unknown()).default({}),
      "Keys of the run spec that are to differ from those of the checkpoint's run (from the defaults, for a model).",
      { reward: [{ name: 'numeric' }], rollout: { max_new_tokens: 64 } },
    ),
  })
  .meta({ id: 'EvaluationRequest', description: 'What to evaluate, and on what.' });

/** Evaluating what was trained. */
export const evaluationOperations = {
  createEvaluation: operation({
    method: 'post',
    path: '/evaluations',
    tag: 'runs',
    summary: 'Evaluate a stored checkpoint, or a model as it is, on a data set',
    description:
      'Makes a run of its own (`task: evaluate`) that waits in the queue, has a lease, restarts and can be paused as any other, makes no update and saves no checkpoint. ' +
      'It takes model, rewards, rollouts and what else matters from the run that saved the checkpoint. Its result is in `latest_evaluation`, ' +
      'under `GET /runs/{id}/evals` and in `eval_logs/` of its tree. The checkpoint cannot be deleted until it has ended.',
    query: z.object({ dry_run: flag('Only say what would happen.') }),
    headers: idempotency,
    body: { schema: evaluationRequestSchema, media: JSON_OR_YAML, required: true },
    responses: [
      runBody(201, 'The evaluation, queued.'),
      {
        status: 200,
        description:
          'With `dry_run`: the resolved spec and the plan. Otherwise the evaluation that is done again in its `training.output_dir`.',
        body: z.union([dryRunSchema, runBody(200, '').body]),
      },
    ],
    problems: [
      'invalid-request',
      'invalid-spec',
      'cannot-place',
      'checkpoint-unusable',
      'conflict',
      'idempotency-mismatch',
      'payload-too-large',
      'unsupported-media-type',
      'unavailable',
    ],
  }),
} as const;
