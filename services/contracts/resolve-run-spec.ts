import type { z } from 'zod';
import { explainIssue, valueAt } from './explain-issue.ts';
import { methodDefaults } from './method-defaults.ts';
import { type Method, methods, type RunSpec, runSpecSchema } from './run-spec.ts';
import { schemaAt, schemaKeys } from './schema-keys.ts';
import { aliasSections, aliasTarget, alsoMeans } from './spec-aliases.ts';
import { suggestKey } from './suggest-key.ts';

type Json = Record<string, unknown>;

/** One thing that is wrong with a document, where (`training.batch_size`) and what to do about it. */
export interface SpecIssue {
  path: string;
  message: string;
}

export type ResolvedSpec =
  | { ok: true; spec: RunSpec; renamed: Record<string, string> }
  | { ok: false; issues: SpecIssue[] };

/**
 * Turns what a user wrote into a full run spec: aliases renamed, method defaults and schema defaults filled in, everything checked.
 * `defaults` lie over those of the method and under what was written. `renamed` lists the aliases that were used, as `{ written: resolved }`.
 */
export function resolveRunSpec(written: unknown, defaults: Json = {}): ResolvedSpec {
  if (!isObject(written)) {
    return { ok: false, issues: [{ path: '', message: 'a run spec is an object with at least model.name' }] };
  }
  const { document, renamed, issues } = renameAliases(withoutEmptySections(written));
  if (issues.length > 0) return { ok: false, issues };

  const method = methods.includes(document['method'] as Method) ? (document['method'] as Method) : 'grpo';
  const merged = overrideSpec(mergeSpecs(methodDefaults[method] as Json, defaults), document);
  const parsed = runSpecSchema.safeParse(merged);
  if (!parsed.success) return { ok: false, issues: parsed.error.issues.flatMap((issue) => explain(issue, merged)) };
  const crossed = checkAcross(parsed.data);
  return crossed.length > 0 ? { ok: false, issues: crossed } : { ok: true, spec: parsed.data, renamed };
}

/** Lays `over` on `base`: objects merge key by key, everything else replaces. Neither is changed. */
export function mergeSpecs(base: Json, over: Json): Json {
  const merged: Json = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isObject(below) && isObject(value) ? mergeSpecs(below, value) : value;
  }
  return merged;
}

/** Two ways to say one thing: who writes one of them means it instead of the other. */
const alternatives = [['warmup_steps', 'warmup_ratio']] as const;

/** As `mergeSpecs`, for what a user wrote over what was there without him: defaults, or the spec of the run that is resumed. */
export function overrideSpec(base: Json, over: Json): Json {
  const merged = mergeSpecs(base, over);
  const written = over['training'];
  if (!isObject(written)) return merged;
  const training = { ...(merged['training'] as Json) };
  for (const [one, other] of [...alternatives, ...alternatives.map(([a, b]) => [b, a] as const)]) {
    if ((written[one] ?? null) !== null && !(other in written)) training[other] = null;
  }
  return { ...merged, training };
}

/** Older spellings moved to the paths they have in the run spec; also for a part of one, such as overrides. `written` is not changed. */
export function renameAliases(written: Json): { document: Json; renamed: Record<string, string>; issues: SpecIssue[] } {
  let document: Json = structuredClone(written);
  const renamed: Record<string, string> = {};
  const issues: SpecIssue[] = [];

  const further: { writtenPath: string; target: string; value: unknown }[] = [];

  const move = (holder: Json, key: string, writtenPath: string) => {
    const target = aliasTarget(key);
    if (target === undefined || target === writtenPath) return;
    const value = holder[key];
    delete holder[key];
    // A section that is none is refused as such; laying the alias over it would hide what the user wrote there.
    const section = document[target.split('.')[0] as string];
    if (section !== undefined && !isObject(section)) return;
    const already = valueAt(document, target.split('.'));
    if (already !== undefined && JSON.stringify(already) !== JSON.stringify(value)) {
      issues.push({
        path: writtenPath,
        message: `is another name of ${target}, which is also given, with another value; keep one`,
      });
      return;
    }
    renamed[writtenPath] = target;
    document = mergeSpecs(document, nest(target, value));
    if (Object.hasOwn(alsoMeans, key)) further.push({ writtenPath, target: alsoMeans[key]!, value });
  };

  for (const key of Object.keys(document)) {
    if (!schemaKeys(runSpecSchema).includes(key)) move(document, key, key);
  }
  for (const section of aliasSections) {
    const known = schemaKeys(schemaAt(runSpecSchema, [section]));
    const holder = document[section];
    if (!isObject(holder)) continue;
    for (const key of Object.keys(holder)) {
      const current = document[section];
      if (!known.includes(key) && isObject(current)) move(current, key, `${section}.${key}`);
    }
  }
  // Last, when it is known what else is written.
  for (const { writtenPath, target, value } of further) {
    if ((valueAt(document, target.split('.')) ?? null) !== null) continue;
    renamed[writtenPath] += `, ${target}`;
    document = mergeSpecs(document, nest(target, value));
  }
  return { document, renamed, issues };
}

/** Combinations that no single field can refuse. */
function checkAcross(spec: RunSpec): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const refuse = (path: string, message: string) => issues.push({ path, message });
  if (spec.model.use_4bit && !spec.model.use_lora)
    refuse('model.use_4bit', 'needs model.use_lora: 4-bit weights cannot be trained themselves');
  if (spec.task === 'evaluate' && spec.data.val_data === null)
    refuse('data.val_data', 'is needed with task: evaluate; name the data set to evaluate on');
  if (spec.training.warmup_steps !== null && spec.training.warmup_ratio !== null)
    refuse('training.warmup_ratio', 'says the same as training.warmup_steps, which is also given; keep one');
  for (const key of ['early_stopping_patience', 'target_accuracy'] as const) {
    if (spec.training[key] === null || spec.task === 'evaluate') continue;
    if (spec.training.eval_steps === 0) refuse(`training.${key}`, 'needs evaluations: set training.eval_steps above 0');
    if (spec.data.val_data === null) refuse(`training.${key}`, 'needs evaluations: set data.val_data');
  }
  if (spec.method === 'grpo' && !spec.reward.some(({ weight }) => weight > 0)) {
    refuse(
      'reward',
      'has no weight above 0, so no completion can be right and each counts as a success: give a reward a weight such as 1',
    );
  }
  if (spec.method === 'grpo' && spec.rollout.max_new_tokens >= spec.model.max_seq_length) {
    refuse(
      'rollout.max_new_tokens',
      `leaves no room for a prompt: it must be below model.max_seq_length (${spec.model.max_seq_length})`,
    );
  }
  if (spec.method === 'grpo' && spec.grpo.dynamic_sampling && spec.rollout.max_staleness > 0) {
    refuse(
      'grpo.dynamic_sampling',
      'replaces groups that agree before a step learns, and with rollout.max_staleness above 0 no step waits for others; set it to false, or max_staleness to 0',
    );
  }
  if (spec.method === 'grpo' && spec.grpo.overlong_buffer_tokens > spec.rollout.max_new_tokens) {
    refuse(
      'grpo.overlong_buffer_tokens',
      `is longer than the longest completion: it must be at most rollout.max_new_tokens (${spec.rollout.max_new_tokens})`,
    );
  }
  return issues;
}

function explain(issue: z.core.$ZodIssue, document: Json): SpecIssue[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...path, key].join('.'),
      message: `unknown key${suggestKey(key, path)}`,
    }));
  }
  return [{ path: path.join('.'), message: explainIssue(issue, document) }];
}

/** A section whose lines are all commented out reads as null in YAML; it means a section in which nothing is set. */
function withoutEmptySections(written: Json, path: readonly string[] = []): Json {
  const kept = Object.entries(written).filter(
    ([key, value]) => value !== null || schemaKeys(schemaAt(runSpecSchema, [...path, key])).length === 0,
  );
  return Object.fromEntries(
    kept.map(([key, value]) => [key, isObject(value) ? withoutEmptySections(value, [...path, key]) : value]),
  );
}

function nest(path: string, value: unknown): Json {
  return path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Json;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
