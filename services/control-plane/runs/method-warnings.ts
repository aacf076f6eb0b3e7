import { dpoSpecSchema, grpoSpecSchema } from '../../contracts/run-spec/methods.ts';
import { type Method, type RunSpec, runSpecSchema } from '../../contracts/run-spec.ts';

/** Options of a method that do nothing in this spec. */
export function methodWarnings(spec: RunSpec): string[] {
  const foreign = foreignKeys(spec);
  return [
    ...when(
      foreign.length > 0,
      `method ${spec.method} has no use for these, so they have no effect: ${foreign.join(', ')}`,
    ),
    ...grpoWarnings(spec),
  ];
}

/** What belongs to one method alone. */
const ofMethods: Readonly<Record<Method, (spec: RunSpec) => Readonly<Record<string, unknown>>>> = {
  sft: ({ sft }) => under('sft', sft),
  dpo: ({ dpo }) => under('dpo', dpo),
  grpo: ({ grpo, reward, rollout }) => ({
    ...under('grpo', grpo),
    reward,
    'rollout.num_rollouts': rollout.num_rollouts,
  }),
};

function under(section: string, options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).map(([key, value]) => [`${section}.${key}`, value]));
}

/** Options of the other methods that are not as they are by default. */
function foreignKeys(spec: RunSpec): string[] {
  const plain = runSpecSchema.parse({ model: { name: spec.model.name } });
  return Object.entries(ofMethods).flatMap(([method, optionsOf]) => {
    if (method === spec.method) return [];
    const defaults = optionsOf(plain);
    return Object.entries(optionsOf(spec))
      .filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(defaults[key]))
      .map(([key]) => key)
      .filter((key) => !(spec.method === 'grpo' && key === 'dpo.beta'));
  });
}

function grpoWarnings({ method, model, grpo, dpo, rollout }: RunSpec): string[] {
  if (method !== 'grpo') return [];
  const { beta } = dpoSpecSchema.parse({});
  const defaults = grpoSpecSchema.parse({});
  const corrects = grpo.use_decoupled_loss && grpo.mismatch_correction !== 'off';
  const onPolicy = grpo.num_iterations === 1 && grpo.use_decoupled_loss;
  const clips = grpo.epsilon_low !== null || grpo.epsilon_high !== null;
  return [
    ...when(
      onPolicy && clips,
      'grpo.epsilon_low and grpo.epsilon_high: with one update for each step the ratio is 1 and nothing is clipped; raise grpo.num_iterations',
    ),
    ...when(
      onPolicy && (grpo.loss_type === 'gspo' || grpo.loss_type === 'cispo'),
      `grpo.loss_type ${grpo.loss_type}: with one update for each step the ratio is 1, so its gradient is that of ${grpo.loss_type === 'gspo' ? 'grpo' : 'dapo'}; raise grpo.num_iterations`,
    ),
    ...when(
      grpo.loss_type === 'cispo' && grpo.epsilon_low !== null,
      'grpo.epsilon_low: cispo has no lower bound, grpo.epsilon_high is its largest weight',
    ),
    ...when(
      !grpo.use_decoupled_loss &&
        (grpo.mismatch_correction !== defaults.mismatch_correction || grpo.mismatch_cap !== defaults.mismatch_cap),
      'grpo.mismatch_correction and grpo.mismatch_cap: with grpo.use_decoupled_loss false nothing is corrected',
    ),
    ...when(
      corrects && model.use_lora && model.lora.dropout > 0,
      `model.lora.dropout ${model.lora.dropout}: the trainer's logprobs are those under dropout, so grpo.mismatch_correction takes its noise for a difference to the server; set it to 0`,
    ),
    ...when(
      rollout.max_staleness > 0 && grpo.use_decoupled_loss && !corrects,
      `rollout.max_staleness ${rollout.max_staleness}: with grpo.mismatch_correction off rollouts of older policies are learned from as if they were of the current one; use tis`,
    ),
    ...when(
      rollout.max_staleness > 8,
      `rollout.max_staleness ${rollout.max_staleness}: bounds of 1 to 8 are usual, and above 4 learning suffers`,
    ),
    // Trainers of others call GRPO's weight so; that is why it has a hint of its own.
    ...when(dpo.beta !== beta, `dpo.beta ${dpo.beta}: that is DPO's; the weight of GRPO's KL term is grpo.kl_coef`),
    ...when(
      grpo.dynamic_sampling && grpo.max_sampling_rounds === 1,
      'grpo.dynamic_sampling: with grpo.max_sampling_rounds 1 no group is replaced',
    ),
  ];
}

function when(condition: boolean, warning: string): string[] {
  return condition ? [warning] : [];
}
