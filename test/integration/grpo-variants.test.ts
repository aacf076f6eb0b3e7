import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestTask, testAttempt, testSpec } from '../../services/trainer/test-support/attempt.ts';
import { type EmbeddedServer, startEmbeddedServer } from '../../services/trainer/test-support/embedded-server.ts';
import { writeImitatedTask } from '../../services/trainer/test-support/imitated-task.ts';
import { type Life, live, messages } from '../../services/trainer/test-support/lives.ts';

/*
 * Whole short runs of the variants of GRPO. In the first update every ratio is 1 and nothing has to be corrected, so the loss of all but CISPO is
 * minus the sum of advantages, each as often as its completion has tokens, times the weight of one token: it is worked out here from what the log tells
 * of the rollouts.
 */

const [TASKS, ROLLOUTS, LONGEST] = [4, 6, 3];
let root: string;
let task: TestTask;
let server: EmbeddedServer;
let attempts = 0;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tandem-variants-'));
  task = await writeImitatedTask(root, { train: 20, validation: 5 });
  server = await startEmbeddedServer({
    ...{ model: task.model, adaptersRoot: path.join(root, 'run', 'adapters'), directory: root },
  });
});
afterAll(async () => {
  await server?.kill();
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

interface Played {
  readonly tokens: number;
  readonly reward: number;
}

/** The groups of the first step, those of the first accumulated batch first, as the log tells them. */
function firstGroups(life: Life): Played[][] {
  const groups = new Map<number, Played[]>();
  let [at, tokens] = [0, 0];
  for (const message of messages(life)) {
    at = Number(/Task train_(\d+) /.exec(message)?.[1] ?? at);
    const text = /action=answer, target=(".*")$/.exec(message)?.[1];
    // A token for each digit, and one for the end unless the completion was cut off before it.
    if (text !== undefined) tokens = Math.min((JSON.parse(text) as string).length + 1, LONGEST);
    const reward = /Completed \|.* reward=(\S+) /.exec(message)?.[1];
    if (reward !== undefined) groups.set(at, [...(groups.get(at) ?? []), { tokens, reward: Number(reward) }]);
    if (groups.size === TASKS && [...groups.values()].every((group) => group.length === ROLLOUTS)) break;
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
}

/** Minus the advantages of a group, each times the tokens of its completion. */
function weighed(group: readonly Played[], byDeviation: boolean): number {
  const mean = group.reduce((sum, { reward }) => sum + reward, 0) / ROLLOUTS;
  const deviation = Math.sqrt(group.reduce((sum, { reward }) => sum + (reward - mean) ** 2, 0) / (ROLLOUTS - 1));
  const scale = byDeviation ? deviation + 1e-4 : 1;
  return group.reduce((sum, { reward, tokens }) => sum - (tokens * (reward - mean)) / scale, 0);
}

const differs = (group: readonly Played[]) => group.some(({ reward }) => reward !== group[0]!.reward);
const total = (groups: readonly Played[][]) => groups.flat().reduce((sum, { tokens }) => sum + tokens, 0);
const sum = (groups: readonly Played[][], byDeviation = true) =>
  groups.reduce((all, group) => all + weighed(group, byDeviation), 0);

/** A run of two steps, and the loss of each. */
async function runOf(lossType: string): Promise<{ life: Life; losses: unknown[] }> {
  attempts += 1;
  const spec = testSpec(task, {
    method: 'grpo',
    model: { max_seq_length: 64, use_lora: true, lora: { r: 4, alpha: 8 } },
    training: {
      ...{ batch_size: 2, gradient_accumulation_steps: 2, max_steps: 2, learning_rate: 3e-3 },
      ...{ eval_steps: 0, save_steps: 1 },
    },
    rollout: { num_rollouts: ROLLOUTS, concurrency: 1, max_new_tokens: LONGEST },
    grpo: { loss_type: lossType },
  });
  const given = testAttempt({
    // Tasks in the order of the file, so that their numbers say which accumulated batch they are in.
    spec: { ...spec, data: { ...spec.data, shuffle: false } },
    ...{ task, directory: path.join(root, 'run'), attempt: attempts, inferenceUrl: server.url },
  });
  const levels = { ...given.log_levels, rollout: 'DEBUG' } as const;
  const life = await live({ ...given, log_levels: levels }, path.join(root, lossType));
  expect([life.exitCode, life.errors]).toEqual([0, []]);

  expect(life.manifests.map(({ policy_version }) => policy_version)).toEqual([1, 2]);
  const adapters = life.manifests.map(({ name }) =>
    readFile(path.join(life.directory, name, 'model/adapter_model.safetensors')),
  );
  const [first, second] = await Promise.all(adapters);
  expect(first!.equals(second!)).toBe(false);
  const losses = life.records.flatMap((record) => (record.kind === 'metrics' ? [record.values['train/loss']] : []));
  // Those that are not finite are words.
  expect(losses).toEqual([expect.any(Number), expect.any(Number)]);
  return { life, losses };
}

test.each<[string, (groups: Played[][]) => number]>([
  ['dapo', (groups) => sum(groups.filter(differs)) / total(groups.filter(differs))],
  ['dr_grpo', (groups) => sum(groups, false) / (groups.filter(differs).length * ROLLOUTS * LONGEST)],
  [
    'bnpo',
    (groups) => {
      const halves = [groups.slice(0, 2), groups.slice(2)].map((half) => half.filter(differs));
      const parts = halves.filter((half) => half.length > 0);
      return parts.reduce((mean, part) => mean + sum(part) / total(part), 0) / parts.length;
    },
  ],
])('a whole run of %s learns, and its first loss is normalised as it promises', async (lossType, lossOf) => {
  const { life, losses } = await runOf(lossType);
  const groups = firstGroups(life);
  expect(groups.map((group) => group.length)).toEqual(Array.from({ length: TASKS }, () => ROLLOUTS));
  const wanted = lossOf(groups);
  expect(Math.abs(wanted)).toBeGreaterThan(1e-3);
  expect(losses[0]).toBeCloseTo(wanted, 5);
});

test('a whole run of cispo learns', async () => {
  // The value of its loss weighs logprobs, which no log tells.
  await runOf('cispo');
});

test('a run without an evaluation set tells a pass rate of its own problems, at its end at the latest', async () => {
  attempts += 1;
  const spec = testSpec(task, {
    method: 'grpo',
    model: { max_seq_length: 64, use_lora: true, lora: { r: 4, alpha: 8 } },
    training: { batch_size: 2, max_steps: 1, learning_rate: 3e-3, eval_steps: 200, save_steps: 1, max_eval_samples: 3 },
    rollout: { num_rollouts: ROLLOUTS, concurrency: 1, max_new_tokens: LONGEST },
  });
  const given = testAttempt({
    spec: { ...spec, data: { ...spec.data, val_data: null } },
    ...{ task, directory: path.join(root, 'run'), attempt: attempts, inferenceUrl: server.url },
  });
  const life = await live({ ...given, val_data: null }, path.join(root, 'pass-rate'));
  expect([life.exitCode, life.errors]).toEqual([0, []]);
  const rates = life.records.flatMap((record) =>
    record.kind === 'metrics' && 'eval_avg_test_pass_rate' in record.values ? [record] : [],
  );
  expect(rates).toMatchObject([{ step: 1, values: { eval_problems_generated: 1, 'inference/step': 1 } }]);
  expect(messages(life)).toContainEqual(expect.stringMatching(/^Pass rate \| .*\/3 problems of the training set/));
});
