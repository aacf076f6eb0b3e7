import { z } from 'zod';
import { field } from '../field.ts';
import { positiveInt } from './bounds.ts';

export const grpoLossTypes = ['grpo', 'dr_grpo', 'dapo', 'bnpo', 'gspo', 'cispo'] as const;
export const mismatchCorrections = ['tis', 'sequence_mask', 'off'] as const;
export const dpoLossTypes = ['sigmoid', 'ipo', 'hinge'] as const;

export const grpoSpecSchema = z
  .strictObject({
    loss_type: field(
      z.enum(grpoLossTypes).default('dapo'),
      'Variant: the mean over all tokens of a step (dapo), over completions (grpo), over accumulated batches (bnpo), over a constant and without the deviation (dr_grpo), the ratio of sequences (gspo), or capped weights (cispo).',
      'dapo',
    ),
    kl_coef: field(
      z.number().min(0).default(0),
      'Weight of the KL term to the reference (the model the run started from); 0 needs no reference.',
      0.05,
    ),
    epsilon_low: field(
      z.number().gt(0).lt(1).nullable().default(null),
      'How far below 1 the probability ratio may fall; null: 0.2, gspo 3e-4. cispo has no lower bound.',
      0.2,
    ),
    epsilon_high: field(
      z.number().gt(0).nullable().default(null),
      'How far above 1 the probability ratio may rise (clip-higher, DAPO); null: 0.28, gspo 4e-4. In cispo the largest weight itself, null: 5.',
      0.28,
    ),
    use_decoupled_loss: field(
      z.boolean().default(true),
      'Bound the ratio around the policy before the step, and correct for what sampled by `mismatch_correction` (AReaL). False: the ratio is straight to what sampled, uncorrected.',
      true,
    ),
    mismatch_correction: field(
      z.enum(mismatchCorrections).default('tis'),
      'Against differences between trainer and server: truncated importance sampling per token, leaving out completions whose weight is above the cap, or off.',
      'tis',
    ),
    mismatch_cap: field(z.number().min(1).default(2), 'Upper bound of that importance weight.', 2),
    num_iterations: field(
      positiveInt().max(64).default(1),
      'Updates from the rollouts of a step; above 1 the ratio leaves 1 and is clipped.',
      1,
    ),
    dynamic_sampling: field(
      z.boolean().default(false),
      'Replace groups whose rewards all agree by the next prompts, within the step (DAPO). A step then uses more data, so `num_epochs` is reached in more passes over it.',
      false,
    ),
    max_sampling_rounds: field(
      positiveInt().max(100).default(4),
      'Rounds of that in a step at most, the first included; what then is missing is left out.',
      4,
    ),
    mask_truncated_completions: field(
      z.boolean().default(false),
      'Learn nothing from completions that were cut off at `rollout.max_new_tokens` (overlong filtering, DAPO); they still count in their group.',
      false,
    ),
    overlong_buffer_tokens: field(
      z.int().min(0).default(0),
      'Over the last so many tokens before `rollout.max_new_tokens` a completion loses reward (soft overlong punishment, DAPO); 0: never.',
      0,
    ),
    overlong_penalty: field(z.number().min(0).default(1), 'What a completion of full length loses by that.', 1),
  })
  .meta({ id: 'GrpoSpec', description: 'GRPO.' });

export const dpoSpecSchema = z
  .strictObject({
    loss_type: field(
      z.enum(dpoLossTypes).default('sigmoid'),
      'Loss of a preference pair: sigmoid (DPO), ipo (of logprobs per token), hinge (SLiC).',
      'sigmoid',
    ),
    beta: field(z.number().positive().default(0.1), 'Strength of the implicit KL constraint; tau of ipo.', 0.1),
  })
  .meta({ id: 'DpoSpec', description: 'DPO.' });

export const sftSpecSchema = z
  .strictObject({
    packing: field(
      z.boolean().default(false),
      'Fill each step with whole examples up to `batch_size` * `gradient_accumulation_steps` * `max_seq_length` tokens, instead of a fixed number of examples. Examples are never padded, joined or cut for it.',
      false,
    ),
    completion_only_loss: field(
      z.boolean().default(true),
      'Learn the completion alone; false: the prompt as well, but its first token. Evaluations always measure the completion.',
      true,
    ),
  })
  .meta({ id: 'SftSpec', description: 'SFT.' });
