import { parseArgs } from 'node:util';
import { isMethod, type Method, methods, readUrl, UsageError } from '../train/options.ts';

export interface EvaluateOptions {
  /** What is posted to `/evaluations`. */
  request: {
    checkpoint?: string;
    model?: string;
    data: string;
    method?: Method;
    name?: string;
    max_eval_samples?: number;
  };
  /** Run configs whose keys are laid over those of the checkpoint's run. */
  overrides: readonly string[];
  /** Evaluate the model that the checkpoint was trained from as well. */
  before: boolean;
  url: string | null;
  keep: boolean;
}

export const usage = `Usage: ./scripts/evaluate.sh --checkpoint C --data F [--before] [--method M] [--max_eval_samples N] [--overrides F] [--url URL]
  --checkpoint C                 runs/<id>/<checkpoint>, runs/<id> for its best, or a path such as outputs/my-run/best_model
  --model M                      instead: a model directory or hub name, as it is
  --data F                       data set to evaluate on
  --before                       evaluate the model that the checkpoint was trained from as well, and compare
  --method grpo|sft|dpo          how to measure; without it as the checkpoint was trained
  --max_eval_samples N           at most so many problems
  --overrides F                  keys of the run spec that are to differ, YAML or JSON; several are merged in order
  --name NAME                    name of the evaluation
  --url URL                      use the control plane that runs there (or TANDEM_URL); nothing is built or started
  --keep                         leave running what this script has started`;

/** What the command line and the environment ask for; null when they ask for the usage. @throws UsageError */
export function readOptions(
  args: string[],
  environment: Readonly<Record<string, string | undefined>>,
): EvaluateOptions | null {
  const values = parse(args);
  if (values.help) return null;
  const { checkpoint, model, data, method, name, overrides = [], before = false, keep = false } = values;
  if ((checkpoint === undefined) === (model === undefined)) {
    throw new UsageError('name what to evaluate: --checkpoint or --model, one of them');
  }
  if (data === undefined) throw new UsageError('--data is missing; name the data set to evaluate on');
  if (method !== undefined && !isMethod(method))
    throw new UsageError(`--method is ${method}; it is one of ${methods.join(', ')}`);
  if (before && checkpoint === undefined) throw new UsageError('--before compares with a --checkpoint; give one');
  const limit = values.max_eval_samples;
  if (limit !== undefined && !/^[1-9]\d*$/.test(limit))
    throw new UsageError(`--max_eval_samples is ${limit}; give a whole number from 1`);
  const request = {
    data,
    ...(checkpoint !== undefined && { checkpoint }),
    ...(model !== undefined && { model }),
    ...(method !== undefined && { method }),
    ...(name !== undefined && { name }),
    ...(limit !== undefined && { max_eval_samples: Number(limit) }),
  };
  return { request, overrides, before, url: readUrl(values.url, environment), keep };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        checkpoint: { type: 'string' },
        model: { type: 'string' },
        data: { type: 'string' },
        method: { type: 'string' },
        max_eval_samples: { type: 'string' },
        overrides: { type: 'string', multiple: true },
        name: { type: 'string' },
        before: { type: 'boolean' },
        url: { type: 'string' },
        keep: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
