import type { Manifest } from '../../contracts/checkpoint.ts';
import type { Evaluation } from '../../contracts/evaluation.ts';
import type { Method, RunSpec } from '../../contracts/run-spec.ts';
import type { MetricRow } from '../records/record-types.ts';

/*
 * `training_log.json` (requirement M6): what the users' scripts read with `json.load`. The keys are theirs, and every row has all of them; a value
 * that was not recorded, or is no finite number, is null, since JSON has neither NaN nor infinities. The text is made in pieces: a head, the rows of
 * training, which come one after the other and never change once a later one is there, and an ending.
 */

/** An evaluation, with where training stood. */
export interface EvaluationRow {
  evaluation: Evaluation | null;
  step: number;
  epoch: number;
  samples: number;
  /** Metrics of the step, `validationMetrics` among them. */
  values: MetricRow['values'];
}

export interface Ending {
  /** The run's tree, as the user named it. */
  outputDir: string;
  best: (EvaluationRow & { manifest: Manifest }) | null;
  /** Whether the run has ended. */
  final: boolean;
}

type Row = Record<string, number | string | null>;

interface Shape {
  /** Recorded metrics, by the key that the script reads; the first that was recorded counts. */
  train: Readonly<Record<string, readonly string[]>>;
  trainCounters: readonly ('epoch' | 'samples')[];
  validation: (row: EvaluationRow) => Row;
  config: (spec: RunSpec) => Record<string, unknown>;
  ending: (ending: Ending) => Record<string, unknown>;
}

/** Rewards of visual grounding, which environments that give them record at an evaluation under these names. */
export const validationMetrics = ['val_format', 'val_bbox', 'val_category', 'val_completeness'] as const;

const shapes: Readonly<Record<Method, Shape>> = {
  sft: {
    train: { loss: ['train/loss'], learning_rate: ['train/learning_rate'] },
    trainCounters: ['epoch'],
    validation: ({ step, epoch, evaluation }) => ({ step, epoch, eval_loss: finite(evaluation?.eval_loss) }),
    config: ({ model }) => ({
      lora_r: model.use_lora ? model.lora.r : null,
      use_4bit: model.use_4bit,
      bf16: model.bf16,
    }),
    ending: ({ best, final, outputDir }) =>
      final
        ? {
            final_metrics: {
              best_metric: finite(best?.manifest.best_metric),
              best_checkpoint: best === null ? null : bestPath(outputDir),
            },
          }
        : {},
  },
  grpo: {
    train: {
      loss: ['train/loss'],
      reward: ['train/avg_reward'],
      kl: ['train/kl', 'train/kl_loss'],
      lr: ['train/learning_rate'],
    },
    trainCounters: ['epoch', 'samples'],
    validation: ({ step, epoch, samples, evaluation, values }) => ({
      step,
      epoch,
      samples,
      val_reward: finite(evaluation?.avg_reward),
      ...Object.fromEntries(validationMetrics.map((name) => [name, finite(values[name])])),
    }),
    config: ({ rollout, grpo }) => ({
      num_generations: rollout.num_rollouts,
      temperature: rollout.temperature,
      kl_coef: grpo.kl_coef,
    }),
    ending: endsWithBest(({ samples, evaluation, manifest }) => ({
      samples,
      val_reward: finite(evaluation?.avg_reward ?? manifest.best_metric),
    })),
  },
  dpo: {
    train: { loss: ['train/loss'], accuracy: ['train/accuracy'], reward_margin: ['train/reward_margin'] },
    trainCounters: ['epoch'],
    validation: ({ step, epoch, evaluation }) => ({
      step,
      epoch,
      val_loss: finite(evaluation?.eval_loss),
      val_accuracy: finite(evaluation?.accuracy),
      val_reward_margin: finite(evaluation?.reward_margin),
    }),
    config: ({ dpo }) => ({ beta: dpo.beta }),
    ending: endsWithBest(({ evaluation }) => ({
      val_accuracy: finite(evaluation?.accuracy),
      val_loss: finite(evaluation?.eval_loss),
      val_reward_margin: finite(evaluation?.reward_margin),
    })),
  },
};

/** The metrics that the rows of a method are made of. */
export function trainingLogMetrics(method: Method): string[] {
  return Object.values(shapes[method].train).flat();
}

/** The keys of a row of each history, in their order. */
export function historyColumns(method: Method): Record<'train' | 'validation', readonly string[]> {
  const nothing = { step: 0, epoch: 0, samples: 0, values: {} };
  return {
    train: Object.keys(trainRow(method, nothing)),
    validation: Object.keys(validationRow(method, { ...nothing, evaluation: null })),
  };
}

/** `config`: flat, with the scripts' names. */
export function trainingLogConfig(spec: RunSpec, outputDir: string): Record<string, unknown> {
  return {
    model_path: spec.model.name,
    train_data: spec.data.train_data,
    val_data: spec.data.val_data,
    output_dir: outputDir,
    num_epochs: spec.training.num_epochs,
    batch_size: spec.training.batch_size,
    learning_rate: spec.training.learning_rate,
    gradient_accumulation_steps: spec.training.gradient_accumulation_steps,
    ...shapes[spec.method].config(spec),
  };
}

/** Up to the first row of training. */
export function renderHead(spec: RunSpec, outputDir: string): string {
  const config = trainingLogConfig(spec, outputDir);
  return `{\n "config": ${indented(config)},\n "train_history": [`;
}

/** Rows of training behind `before` others, each on a line of its own. */
export function renderTrainRows(method: Method, rows: readonly MetricRow[], before: number): string {
  const lines = rows.map((row) => JSON.stringify(trainRow(method, row)));
  return lines.map((line, at) => `${before + at === 0 ? '' : ','}\n  ${line}`).join('');
}

/** A row of validation, as `renderEnding` takes it. */
export function renderValidationRow(method: Method, row: EvaluationRow): string {
  return JSON.stringify(validationRow(method, row));
}

export function validationRow(method: Method, row: EvaluationRow): Row {
  return shapes[method].validation(row);
}

/** What was best, by the keys that the method's scripts look under. */
export function endingOf(method: Method, ending: Ending): Record<string, unknown> {
  return shapes[method].ending(ending);
}

/** What follows the rows of training: those of validation, and what was best. */
export function renderEnding(method: Method, validations: readonly string[], ending: Ending): string {
  const rows = validations.map((row) => `\n  ${row}`).join(',');
  const rest = Object.entries(endingOf(method, ending)).map(
    ([key, value]) => `,\n ${JSON.stringify(key)}: ${indented(value)}`,
  );
  return `\n ],\n "val_history": [${rows}${rows === '' ? '' : '\n '}]${rest.join('')}\n}\n`;
}

function indented(value: unknown): string {
  return JSON.stringify(value, null, 1).replaceAll('\n', '\n ');
}

export function trainRow(method: Method, row: MetricRow): Row {
  const shape = shapes[method];
  const counters = shape.trainCounters.map((key) => [key, row[key]] as const);
  const values = Object.entries(shape.train).map(([key, metrics]) => {
    const recorded = metrics.find((metric) => metric in row.values);
    return [key, recorded === undefined ? null : finite(row.values[recorded])] as const;
  });
  return Object.fromEntries([['step', row.step] as const, ...counters, ...values]);
}

function endsWithBest(values: (best: NonNullable<Ending['best']>) => Row): Shape['ending'] {
  return ({ best, outputDir }) => ({
    best_checkpoint: best && { step: best.step, epoch: best.epoch, ...values(best), path: bestPath(outputDir) },
  });
}

function finite(value: number | null | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function bestPath(outputDir: string): string {
  return `${outputDir}/best_model`;
}
