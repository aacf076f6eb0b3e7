import { cleanText } from '../sinks/render-line.ts';
import { measures } from './measures.ts';
import { decimals, scientific, setting } from './numbers.ts';
import { numberOf, type Row, recordedKey, type TrainingLog } from './training-log.ts';

const RULE = '='.repeat(60);
/** Longest text of a value; a path is shorter, what is longer is a trap or a mistake. */
const MAX_TEXT = 200;

/**
 * What there is to say of a log at a glance (requirement M7: labels, order and decimals are fixed). What the file holds is hostile text: control
 * characters do not reach the terminal.
 */
export function renderSummary(log: TrainingLog): string {
  const { config, train, validation, best } = log;
  const lines = [
    RULE,
    'Training Summary',
    RULE,
    '',
    'Configuration:',
    `  Model: ${text(config['model_path'] ?? config['model_name'])}`,
    `  Output: ${text(config['output_dir'])}`,
    `  Epochs: ${text(config['num_epochs'])}`,
    `  Batch Size: ${text(config['batch_size'])}`,
    `  Learning Rate: ${text(config['learning_rate'])}`,
    `  Gradient Accumulation: ${text(config['gradient_accumulation_steps'] ?? config['gradient_accumulation'])}`,
    '',
    `Training History: ${train.length} entries`,
    ...finalRow(log, 'train', train.at(-1)),
    '',
    `Validation History: ${validation.length} entries`,
    ...(validation.length === 0 ? [`  ${whyNotValidated(log)}`] : finalRow(log, 'validation', validation.at(-1))),
    '',
    'Best Checkpoint:',
    ...(best === null ? ['  none yet'] : bestLines(best)),
    RULE,
  ];
  return `${lines.join('\n')}\n`;
}

function finalRow(log: TrainingLog, history: 'train' | 'validation', row: Row | undefined): string[] {
  if (row === undefined) return ['  none yet: the first is written after logging_steps steps'];
  const rows = history === 'train' ? log.train : log.validation;
  const measured = measures[log.method].flatMap((measure) => {
    const key = recordedKey(rows, measure[history]);
    if (key === undefined) return [];
    const title = history === 'train' ? measure.name : key;
    return [`  Final ${title}: ${quantity(row[key], measure.name === 'lr')}`];
  });
  return [`  Final Step: ${text(row['step'])}`, `  Final Epoch: ${epochText(row['epoch'])}`, ...measured];
}

function bestLines(best: Row): string[] {
  return Object.entries(best).map(([key, value]) => {
    const title = titles.get(key) ?? text(key);
    if (typeof value === 'number' && !Number.isInteger(value) && key !== 'epoch')
      return `  ${title}: ${quantity(value, false)}`;
    return `  ${title}: ${key === 'epoch' ? epochText(value) : text(value)}`;
  });
}

const titles: ReadonlyMap<string, string> = new Map([
  ['step', 'Step'],
  ['epoch', 'Epoch'],
  ['samples', 'Samples'],
  ['path', 'Path'],
  ['best_metric', 'Metric'],
  ['best_checkpoint', 'Path'],
]);

/** The usual causes of an empty val_history. */
export function whyNotValidated({ config }: TrainingLog): string {
  if ((config['val_data'] ?? null) === null) return 'none: no val_data is set; set it, and eval_steps above 0';
  if (config['eval_steps'] === 0) return 'none: eval_steps is 0; set it above 0';
  return 'none yet: the first comes after eval_steps steps; 0 means never';
}

function quantity(value: unknown, isRate: boolean): string {
  if (value === null || value === undefined) return 'n/a';
  return isRate ? scientific(numberOf(value)) : decimals(numberOf(value));
}

/** At most four decimals, none of them for nothing: steps do not divide an epoch evenly. */
function epochText(value: unknown): string {
  return typeof value === 'number' && Number.isFinite(value) ? setting(Number(value.toFixed(4))) : text(value);
}

function text(value: unknown): string {
  if (value === null || value === undefined) return 'n/a';
  if (typeof value === 'number') return setting(value);
  const whole = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'n/a');
  const clean = cleanText(whole.slice(0, 2 * MAX_TEXT).replaceAll(/[\r\n]+/g, ' '));
  return clean.length > MAX_TEXT ? `${clean.slice(0, MAX_TEXT)}…` : clean;
}
