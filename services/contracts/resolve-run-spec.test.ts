import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { mergeSpecs, overrideSpec, renameAliases, resolveRunSpec } from './resolve-run-spec.ts';
import { type RunSpec, runSpecSchema } from './run-spec.ts';
import { schemaAt, schemaKeys } from './schema-keys.ts';
import { specAliases } from './spec-aliases.ts';

type Json = Record<string, unknown>;
const read = (path: string) => parse(readFileSync(path, 'utf8')) as Json;
const config = (name: string) => read(`scripts/configs/${name}.yaml`);
/** The users' files as they have them, beside the checkout of whoever has them. */
const users = '../shared/data';
const model = { name: 'models/tiny' };

function accepted(written: unknown): { spec: RunSpec; renamed: Record<string, string> } {
  const resolved = resolveRunSpec(written);
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved;
}

function refused(written: unknown): string[] {
  const resolved = resolveRunSpec(written);
  if (resolved.ok) throw new Error('it was accepted');
  return resolved.issues.map(({ path, message }) => `${path}: ${message}`);
}

describe("the users' own configs", () => {
  test.skipIf(!existsSync(users))('are accepted unchanged and mean what the shipped ones mean', () => {
    const theirs = (name: string) => read(`${users}/${name}.yaml`);
    const pairs = [
      [theirs('launch-guide'), config('grpo_cua')],
      [mergeSpecs(theirs('launch-guide'), theirs('checkpoint-guide')), config('grpo_cua_long')],
      [mergeSpecs(theirs('launch-guide'), theirs('smoke')), mergeSpecs(config('grpo_cua'), config('smoke'))],
    ] as const;
    for (const [written, shipped] of pairs) expect(accepted(written)).toEqual(accepted(shipped));
  });

  test('the launch guide is accepted unchanged', () => {
    const { spec, renamed } = accepted(config('grpo_cua'));
    expect(renamed).toEqual({});
    expect(spec).toMatchObject({
      method: 'grpo',
      model: { name: 'Qwen/Qwen3-VL-32B-Instruct', max_seq_length: 16384, use_lora: true, lora: { r: 16, alpha: 32 } },
      training: {
        learning_rate: 1e-5,
        batch_size: 4,
        max_steps: 200,
        output_dir: 'outputs/grpo_cua',
        logging_steps: 10,
        eval_steps: 200,
      },
      rollout: { num_rollouts: 4, max_turns: 15, concurrency: 4 },
      inference: { backend: 'vllm', vllm: { api_base: 'http://localhost:8000/v1' } },
    });
  });

  test('the long form is accepted', () => {
    const { spec } = accepted(config('grpo_cua_long'));
    expect(spec.training).toMatchObject({
      max_steps: 1000,
      learning_rate: 1e-5,
      save_strategy: 'steps',
      save_steps: 100,
      eval_steps: 50,
      save_total_limit: 5,
      load_best_model_at_end: true,
      metric_for_best_model: 'eval/accuracy',
      greater_is_better: true,
    });
    expect(spec.checkpoint).toEqual({
      resume_from_checkpoint: null,
      ignore_data_skip: false,
      keep_best: 1,
      keep_every: null,
    });
    expect(spec.logging.rollout_log_level).toBe('DEBUG');
    expect(spec.monitoring.wandb_tags).toEqual(['grpo', 'qwen3vl', 'cua']);
  });

  test('a config that names no model is told so', () => {
    expect(refused(config('smoke'))).toEqual(['model: is missing; give at least model.name']);
  });

  test.each(['grpo_cua', 'grpo_cua_long'])('the smoke run is accepted over %s', (below) => {
    const { spec } = accepted(mergeSpecs(config(below), config('smoke')));
    expect(spec.training).toMatchObject({
      max_steps: 2,
      batch_size: 1,
      eval_steps: 1,
      save_steps: 1,
      output_dir: 'outputs/grpo_cua',
    });
    expect(spec.rollout).toMatchObject({ num_rollouts: 1, concurrency: 1, max_turns: 15 });
  });

  test('what was resolved resolves to itself', () => {
    const { spec } = accepted(config('grpo_cua_long'));
    expect(accepted(spec)).toEqual({ ok: true, spec, renamed: {} });
  });
});

describe('defaults', () => {
  test.each([
    ['grpo', { eval_steps: 200, learning_rate: 1e-5 }, { r: 16, alpha: 32 }],
    ['dpo', { eval_steps: 500, learning_rate: 5e-6 }, { r: 16, alpha: 32 }],
    ['sft', { eval_steps: 500, learning_rate: 2e-4 }, { r: 64, alpha: 128 }],
  ])('of %s are those of its scripts', (method, training, lora) => {
    const { spec } = accepted({ method, model });
    expect(spec.training).toMatchObject(training);
    expect(spec.model.lora).toMatchObject(lora);
  });

  test('of a method lie under what the user wrote, key by key', () => {
    const { spec } = accepted({ method: 'sft', model: { ...model, lora: { r: 8 } }, training: { eval_steps: 7 } });
    expect(spec.training).toMatchObject({ eval_steps: 7, learning_rate: 2e-4 });
    expect(spec.model.lora).toMatchObject({ r: 8, alpha: 128 });
  });

  test('fill a section whose lines are all commented out', () => {
    expect(accepted(parse('model: {name: m, lora: }\ntraining:\n  # max_steps: 3\n')).spec).toEqual(
      accepted({ model: { name: 'm' } }).spec,
    );
  });

  test('are the same object for nobody: changing a resolved spec changes no other', () => {
    const first = accepted({ model }).spec;
    first.model.lora.target_modules.pop();
    first.reward.pop();
    expect(accepted({ model }).spec.model.lora.target_modules).toHaveLength(7);
    expect(accepted({ model }).spec.reward).toHaveLength(1);
  });

  test('the written document is left as it was', () => {
    const written = { model: { ...model, lora_r: 8 }, lr: 1e-4, training: null };
    const before = structuredClone(written);
    accepted(written);
    expect(written).toEqual(before);
  });
});

describe('older spellings', () => {
  test('of a flat script are accepted and shown resolved', () => {
    const { spec, renamed } = accepted({
      model_path: 'models/tiny',
      lora_r: 8,
      per_device_train_batch_size: 2,
      eval_every_n_steps: 25,
      max_eval_samples: 8,
      num_generations: 6,
      kl_coef: 0.05,
      dataset_path: 'train.jsonl',
    });
    expect(spec.model).toMatchObject({ name: 'models/tiny', lora: { r: 8, alpha: 32 } });
    expect(spec.training).toMatchObject({ batch_size: 2, eval_steps: 25, max_eval_samples: 8 });
    expect([spec.rollout.num_rollouts, spec.grpo.kl_coef, spec.data.train_data]).toEqual([6, 0.05, 'train.jsonl']);
    expect(renamed).toMatchObject({
      model_path: 'model.name',
      lora_r: 'model.lora.r',
      num_generations: 'rollout.num_rollouts',
    });
  });

  test('are accepted inside a section too', () => {
    const { spec, renamed } = accepted({ model: { name: 'm', lora_r: 4 }, training: { lr: 1e-3, kl_coef: 0.1 } });
    expect([spec.model.lora.r, spec.training.learning_rate, spec.grpo.kl_coef]).toEqual([4, 1e-3, 0.1]);
    expect(renamed).toEqual({
      'model.lora_r': 'model.lora.r',
      'training.lr': 'training.learning_rate',
      'training.kl_coef': 'grpo.kl_coef',
    });
  });

  test('beside the name they stand for are accepted with the same value and refused with another', () => {
    expect(
      accepted({ model, training: { batch_size: 4, per_device_train_batch_size: 4 } }).spec.training.batch_size,
    ).toBe(4);
    expect(refused({ model, batch_size: 2, training: { batch_size: 4 } })).toEqual([
      'batch_size: is another name of training.batch_size, which is also given, with another value; keep one',
    ]);
  });

  test('beside the same list are the same list', () => {
    const lists = { model: { ...model, lora: { target_modules: ['q_proj'] } }, lora_target_modules: ['q_proj'] };
    expect(accepted(lists).spec.model.lora.target_modules).toEqual(['q_proj']);
  });

  test('are renamed in a part of a spec without changing it', () => {
    const overrides = { training: { lr: 1e-4 } };
    expect(renameAliases(overrides).document).toEqual({ training: { learning_rate: 1e-4 } });
    expect(overrides).toEqual({ training: { lr: 1e-4 } });
  });

  test.each([
    [{ epsilon: 0.1 }, [0.1, 0.1]],
    [{ grpo: { eps_clip: 0.1 } }, [0.1, 0.1]],
    [{ epsilon: 0.1, epsilon_high: null }, [0.1, 0.1]],
    [{ epsilon: 0.1, epsilon_high: 0.3 }, [0.1, 0.3]],
    [{ epsilon: 0.1, grpo: { epsilon_high: 0.3 } }, [0.1, 0.3]],
    [{ epsilon_low: 0.1 }, [0.1, null]],
  ])('bound the ratio on both sides by epsilon, unless the upper bound is written: %j', (written, bounds) => {
    const { grpo } = accepted({ model, ...written }).spec;
    expect([grpo.epsilon_low, grpo.epsilon_high]).toEqual(bounds);
  });

  test('of two settings name both', () => {
    expect(accepted({ model, epsilon: 0.1 }).renamed).toEqual({ epsilon: 'grpo.epsilon_low, grpo.epsilon_high' });
  });

  test('do not hide a section that is none', () => {
    expect(refused({ model: 'models/tiny', lora_r: 8 })).toEqual([
      'model: must be a section with keys of its own, not the text "models/tiny"',
    ]);
  });

  test.each(Object.entries(specAliases))('%s stands for a name there is: %s', (_alias, path) => {
    const keys = path.split('.');
    expect(schemaKeys(schemaAt(runSpecSchema, keys.slice(0, -1)))).toContain(keys.at(-1));
  });
});

describe('unknown keys name what was most likely meant', () => {
  test.each([
    [{ model, training: { batch_sise: 4 } }, 'training.batch_sise: unknown key; did you mean training.batch_size?'],
    [{ model, trainning: {} }, 'trainning: unknown key; did you mean training?'],
    [{ model, training: { num_rollouts: 8, lora: {} } }, 'training.lora: unknown key; did you mean model.lora?'],
    [{ model, lora: { r: 8 } }, 'lora: unknown key; did you mean model.lora?'],
    [{ model, target_modules: ['q_proj'] }, 'target_modules: unknown key; did you mean model.lora.target_modules?'],
    [{ model, lora_rr: 4 }, 'lora_rr: unknown key; did you mean lora_r?'],
    [{ model, inference: { lr: 1 } }, 'inference.lr: unknown key; did you mean training.learning_rate?'],
    [
      { model, inference: { gpu_memory_utilisation: 0.7 } },
      'inference.gpu_memory_utilisation: unknown key; did you mean inference.vllm.gpu_memory_utilization?',
    ],
    [
      { model: { name: 'm', lora: { rank: 8 } } },
      'model.lora.rank: unknown key; the nearest known name is model.lora.r',
    ],
    [{ model, reward: [{ name: 'exact', wieght: 1 }] }, 'reward.0.wieght: unknown key; did you mean reward.0.weight?'],
    [{ model, constructor: 1 }, 'constructor: unknown key; the nearest known name is '],
  ])('%j', (written, message) => {
    expect(refused(written).some((issue) => issue.startsWith(message))).toBe(true);
  });
});

describe('a wrong value is told what it must be', () => {
  test.each([
    ['hello', ': a run spec is an object with at least model.name'],
    [[], ': a run spec is an object with at least model.name'],
    [{}, 'model: is missing; give at least model.name'],
    [{ model: {} }, 'model.name: is missing; give a text'],
    [{ model, method: 'ppo' }, 'method: must be one of grpo, dpo, sft'],
    [
      { model, logging: { level: 'WARN' } },
      'logging.level: must be one of DEBUG, INFO, WARNING, ERROR; did you mean WARNING?',
    ],
    [{ model, training: { batch_size: 'four' } }, 'training.batch_size: must be a number, not the text "four"'],
    [
      { model, training: { learning_rate: '1e-5' } },
      'training.learning_rate: must be a number, not the text "1e-5"; write it without quotes',
    ],
    [
      { model, training: { load_best_model_at_end: 'true' } },
      'training.load_best_model_at_end: must be true or false, not the text "true"; write it without quotes',
    ],
    [{ model, training: { max_steps: 1.5 } }, 'training.max_steps: must be a whole number, not 1.5'],
    [{ model, training: { learning_rate: Number.NaN } }, 'training.learning_rate: must be a number, not NaN'],
    [{ model, training: { eval_steps: -1 } }, 'training.eval_steps: must be at least 0'],
    [
      { model: { ...model, lora: { r: 0 } } },
      'model.lora.r: LoRA rank 0 trains nothing; set model.use_lora: false for full weights',
    ],
    [{ model, seed: 2 ** 53 }, 'seed: must be at most 9007199254740991'],
    [{ model, training: { learning_rate: 100 } }, 'training.learning_rate: a learning rate above 10 diverges at once'],
    [
      { model, training: { save_total_limit: 0 } },
      'training.save_total_limit: keep at least one checkpoint, or a crash loses everything',
    ],
    [{ model, grpo: { epsilon_low: 1 } }, 'grpo.epsilon_low: must be less than 1'],
    [
      { model, grpo: { loss_type: 'reinforce' } },
      'grpo.loss_type: must be one of grpo, dr_grpo, dapo, bnpo, gspo, cispo',
    ],
    [{ model, method: 'dpo', dpo: { loss_type: 'apo_zero' } }, 'dpo.loss_type: must be one of sigmoid, ipo, hinge'],
    [{ model, reward: [] }, 'reward: must have at least 1 entry'],
    [{ model, labels: { team: 7 } }, 'labels.team: must be a text, not 7; put it in quotes'],
    [
      { model, inference: { vllm: { api_base: 'localhost' } } },
      'inference.vllm.api_base: must be a URL such as http://localhost:8000/v1',
    ],
    [
      { model, gpu_profile: 'Split 8' },
      'gpu_profile: a profile is named like split-8: small letters, digits and hyphens',
    ],
    [{ model, training: [] }, 'training: must be a section with keys of its own, not a list'],
  ])('%j', (written, message) => {
    expect(refused(written)).toEqual([message]);
  });

  test('everything that is wrong is told at once', () => {
    expect(refused({ model: { name: 3 }, training: { batch_size: 0, batch_sise: 1 } })).toHaveLength(3);
  });
});

describe('values that exclude each other', () => {
  const data = { val_data: 'data/val.jsonl' };
  test.each([
    [{ model: { ...model, use_4bit: true, use_lora: false } }, 'model.use_4bit: needs model.use_lora'],
    [
      { model, grpo: { overlong_buffer_tokens: 257 } },
      'grpo.overlong_buffer_tokens: is longer than the longest completion: it must be at most rollout.max_new_tokens (256)',
    ],
    [
      { model, grpo: { dynamic_sampling: true }, max_head_offpolicyness: 4 },
      'grpo.dynamic_sampling: replaces groups that agree before a step learns, and with rollout.max_staleness above 0 no step waits for others; set it to false, or max_staleness to 0',
    ],
    [
      { model, data, training: { eval_steps: 0, early_stopping_patience: 3 } },
      'training.early_stopping_patience: needs evaluations: set training.eval_steps above 0',
    ],
    [
      { model, data, training: { eval_steps: 0, target_accuracy: 0.9 } },
      'training.target_accuracy: needs evaluations: set training.eval_steps above 0',
    ],
    [{ model, training: { target_accuracy: 0.9 } }, 'training.target_accuracy: needs evaluations: set data.val_data'],
    [
      { model: { ...model, max_seq_length: 256 }, rollout: { max_new_tokens: 256 } },
      'rollout.max_new_tokens: leaves no room for a prompt',
    ],
  ])('%j', (written, message) => {
    const [only, ...more] = refused(written);
    expect(only).toContain(message);
    expect(more).toEqual([]);
  });

  test('the same values within bounds are accepted', () => {
    accepted({ model: { ...model, use_4bit: true } });
    accepted({ model, data, training: { eval_steps: 1, early_stopping_patience: 3 } });
    accepted({ model: { ...model, max_seq_length: 257 }, rollout: { max_new_tokens: 256 } });
  });
});

describe('rewards', () => {
  const reward = (...written: unknown[]) => resolveRunSpec({ model, reward: written });

  test('have options of their own by name', () => {
    expect(accepted({ model, reward: [{ name: 'function', function: 'score.py:score' }] }).spec.reward).toEqual([
      {
        ...{ name: 'function', function: 'score.py:score', timeout: 60, memory_mb: 2048 },
        ...{ weight: 1, on_failure: 'fail' },
      },
    ]);
  });

  test.each<[unknown, string, string]>([
    [{ name: 'numerical' }, 'reward.0.name', 'did you mean numeric?'],
    [{}, 'reward.0.name', 'must be one of exact, numeric, boxed'],
    [{ name: 'regex' }, 'reward.0.pattern', 'is missing; give a text'],
    [{ name: 'regex', patern: 'a', pattern: 'a' }, 'reward.0.patern', 'unknown key; did you mean reward.0.pattern?'],
    [{ name: 'regex', pattern: '(' }, 'reward.0.pattern', 'is no regular expression'],
    [{ name: 'json_schema', schema: { type: 'foo' } }, 'reward.0.schema', 'is no JSON schema that can be used'],
    [{ name: 'length' }, 'reward.0.max', 'is needed'],
    [{ name: 'exact', weight: 0 }, 'reward', 'has no weight above 0'],
    [{ name: 'exact', weight: -1 }, 'reward', 'give a reward a weight such as 1'],
    [{ name: 'length', min: 5, max: 4 }, 'reward.0.max', 'must be at least min (5)'],
    [{ name: 'function', function: 'score.py' }, 'reward.0.function', 'must be a file and the function in it'],
  ])('%j is refused', (written, path, message) => {
    expect(reward(written)).toEqual({ ok: false, issues: [{ path, message: expect.stringContaining(message) }] });
  });
});

describe('warm-up', () => {
  const warmup = (written: Record<string, unknown>) => {
    const { warmup_steps, warmup_ratio } = accepted({ model, method: 'sft', training: written }).spec.training;
    return { warmup_steps, warmup_ratio };
  };

  test('is a share of the steps for SFT and DPO, unless the user says how many steps', () => {
    expect(warmup({})).toEqual({ warmup_steps: null, warmup_ratio: 0.03 });
    expect(warmup({ warmup_steps: 0 })).toEqual({ warmup_steps: 0, warmup_ratio: null });
    expect(warmup({ warmup_ratio: 0.2 })).toEqual({ warmup_steps: null, warmup_ratio: 0.2 });
    expect(accepted({ model }).spec.training).toMatchObject({ warmup_steps: null, warmup_ratio: null });
  });

  test('is refused when it is given twice', () => {
    const refusals = refused({ model, training: { warmup_steps: 5 }, warmup_ratio: 0.1 });
    expect(refusals.join()).toMatch(/training.warmup_ratio: .*keep one/);
  });

  test('of a run that is resumed can be given the other way', () => {
    const before = accepted({ model, method: 'sft' }).spec as unknown as Json;
    const after = accepted(overrideSpec(before, { training: { warmup_steps: 7 } })).spec;
    expect(after.training).toMatchObject({ warmup_steps: 7, warmup_ratio: null, learning_rate: 2e-4 });
    expect(accepted(overrideSpec(after as unknown as Json, {})).spec).toEqual(after);
  });
});
