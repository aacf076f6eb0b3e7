import { readdirSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AttemptSpec, ResumeCandidate } from '../../services/contracts/agent-operations.ts';
import { type TestTask, testAttempt, testSpec } from '../../services/trainer/test-support/attempt.ts';
import { type EmbeddedServer, startEmbeddedServer } from '../../services/trainer/test-support/embedded-server.ts';
import { writeImitatedTask } from '../../services/trainer/test-support/imitated-task.ts';
import {
  event,
  fence,
  finalBytes,
  type Life,
  live,
  measured,
  messages,
  stopAt,
} from '../../services/trainer/test-support/lives.ts';
import { expectDocumentedMetrics } from '../../services/trainer/test-support/metric-names.ts';

let root: string;
let task: TestTask;
let server: EmbeddedServer;
/** A run that nothing happened to. */
let whole: Life;
const rollout = { num_rollouts: 6, concurrency: 3, max_new_tokens: 3, temperature: 1 };
const model = { max_seq_length: 64, use_lora: true, lora: { r: 4, alpha: 8 } };
/** What makes a step longer than one round of rollouts and one update, and hard to resume half-way. */
const grpo = { num_iterations: 2, dynamic_sampling: true, max_sampling_rounds: 2 };
const training = {
  batch_size: 4,
  max_steps: 10,
  learning_rate: 3e-3,
  eval_steps: 4,
  save_steps: 3,
  max_eval_samples: 5,
};
const state = ['optimizer.pt', 'scheduler.pt', 'rng_state.json', 'model_version.txt', 'training_metadata.json'];

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tandem-grpo-'));
  task = await writeImitatedTask(root, { train: 20, validation: 5 });
  server = await start();
  whole = await live(attempt({ number: 11, verbose: true }), path.join(root, 'whole'));
});
afterAll(async () => {
  await server.kill();
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

const start = () =>
  startEmbeddedServer({ model: task.model, adaptersRoot: path.join(root, 'run', 'adapters'), directory: root });

interface Given {
  readonly written?: Record<string, unknown>;
  readonly number?: number;
  readonly resume?: readonly ResumeCandidate[];
  readonly verbose?: boolean;
}

function attempt(given: Given = {}): AttemptSpec {
  const spec = testSpec(task, { method: 'grpo', model, training, rollout, grpo, ...given.written });
  const { number = 1, resume = [], verbose = false } = given;
  return testAttempt({
    ...{ spec, task, directory: path.join(root, 'run'), inferenceUrl: server.url },
    ...{ attempt: number, resume, verbose },
  });
}

function metric(life: Life, name: string): unknown[] {
  return life.records.flatMap((record) =>
    record.kind === 'metrics' && name in record.values ? [record.values[name]] : [],
  );
}

/** Policy updates: without some, equal bytes would say nothing. */
function updates(life: Life): number {
  return life.manifests.at(-1)!.policy_version;
}

test('a run records the metrics that are documented, all of them and no others', () => {
  expectDocumentedMetrics(whole.records, 'grpo');
});

test('a run that was stopped and fenced off on its way ends with the bytes of one that was not', async () => {
  const files = ['model/adapter_model.safetensors', ...state];
  const first = await live(attempt({ number: 21 }), path.join(root, 'torn'), stopAt(1));
  const second = await live(attempt({ number: 22, resume: first.candidates }), path.join(root, 'torn'), fence(5));
  const resume = [...second.candidates, ...first.candidates];
  const third = await live(attempt({ number: 23, resume }), path.join(root, 'torn'));
  expect([whole, first, second, third].map((life) => life.exitCode)).toEqual([0, 0, 70, 0]);

  expect(updates(whole)).toBeGreaterThan(1);
  // Groups were replaced, and second updates were off policy: else equal bytes would say less.
  expect(Math.max(...(metric(whole, 'train/sampling_rounds') as number[]))).toBe(2);
  expect(Math.max(...(metric(whole, 'train/ratio_max') as number[]))).toBeGreaterThan(1.01);
  expect(await finalBytes(third, files)).toEqual(await finalBytes(whole, files));
  expect(measured([first, second, third])).toEqual(measured([whole]));
});

test('the server computes with the trainer to the last bit, so nothing has to be corrected', () => {
  expect(updates(whole)).toBeGreaterThan(1);
  expect(Math.max(...(metric(whole, 'train/mismatch_abs') as number[]))).toBe(0);
  expect(Math.max(...(metric(whole, 'train/mismatch_truncated') as number[]))).toBe(0);
});

test('only the policy version that serves is left in the shared directory', () => {
  const left = readdirSync(path.join(root, 'run', 'adapters')).filter((name) => name.startsWith('run-test0000-a11-'));
  expect(left).toEqual([expect.stringMatching(/^run-test0000-a11-v\d+$/)]);
});

test('a server that dies on the way is found again where it was restarted, and nothing of the run changes', async () => {
  const restarted = await live(attempt({ number: 42 }), path.join(root, 'restarted'), (plane) => {
    let killed = false;
    plane.onRecord((record) => {
      if (killed || record.kind !== 'metrics' || record.step !== 2) return;
      killed = true;
      void server.kill().then(async () => {
        server = await start();
        plane.attempt = { ...plane.attempt, inference_url: server.url };
      });
    });
  });
  expect(restarted.errors).toEqual([]);
  expect(restarted.exitCode).toBe(0);
  expect(messages(restarted).some((message) => message.startsWith('The inference server has to be found again'))).toBe(
    true,
  );
  expect(measured([restarted])).toEqual(measured([whole]));
});

test('a group of one learns nothing, and the run still evaluates, saves and completes, with a warning', async () => {
  const smoke = { batch_size: 1, max_steps: 2, eval_steps: 1, save_steps: 1 };
  const written = { training: smoke, rollout: { ...rollout, num_rollouts: 1, concurrency: 1 } };
  const life = await live(attempt({ number: 51, written }), path.join(root, 'smoke'));
  expect(life.exitCode).toBe(0);
  expect(life.manifests.map(({ step, policy_version }) => [step, policy_version])).toEqual([
    [1, 0],
    [2, 0],
  ]);
  expect(measured([life]).evaluations).toHaveLength(3);
  expect(messages(life)).toContainEqual(expect.stringContaining('a group of one has no variance'));
  expect(life.records).toContainEqual(expect.objectContaining({ name: 'finished', reason: 'completed' }));
});

test('full weights are published as models, and a KL term is measured against the start', async () => {
  const written = { model: { max_seq_length: 64, use_lora: false }, grpo: { kl_coef: 0.1, loss_type: 'gspo' } };
  const life = await live(attempt({ number: 61, written }), path.join(root, 'full'));
  expect(life.errors).toEqual([]);
  expect(life.exitCode).toBe(0);
  expect(updates(life)).toBeGreaterThan(1);
  const kl = metric(life, 'train/kl') as number[];
  expect(kl[0]).toBe(0);
  expect(Math.max(...kl)).toBeGreaterThan(0);
  expect(Math.max(...(metric(life, 'train/mismatch_abs') as number[]))).toBe(0);
});

test('a server that goes on serving the base model in silence is caught by the canary', async () => {
  const proxy = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      // Any policy version but the first is answered by the base model, in its name.
      const asked = Buffer.concat(chunks).toString();
      const [named = ''] = asked.match(/"model":"[^"]*-v[1-9]\d*"/) ?? [];
      const base = '"model":"run-test0000"';
      const body = named === '' ? asked : asked.replace(named, base);
      const target = `${server.url.replace('/v1', '')}${request.url}`;
      const reply = await fetch(
        target,
        request.method === 'POST' ? { method: 'POST', headers: { 'content-type': 'application/json' }, body } : {},
      );
      const text = await reply.text();
      response.writeHead(reply.status).end(named === '' ? text : text.replace(base, named));
    })();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as AddressInfo;
  const through = { ...attempt({ number: 81 }), inference_url: `http://127.0.0.1:${port}/v1` };
  const life = await live(through, path.join(root, 'silent'));
  proxy.closeAllConnections();
  proxy.close();
  expect(life.exitCode).toBe(69);
  expect(event(life, 'failed')).toMatchObject({
    reason: 'inference_failed',
    message: expect.stringMatching(/does not compute what the trainer computes for run-test0000-a81-v1/),
  });
});

test('a model with one weight that is no number is told as that, and not as a fault of the server', async () => {
  const broken = path.join(root, 'broken');
  await cp(task.model, broken, { recursive: true });
  const file = path.join(broken, 'model.safetensors');
  const bytes = await readFile(file);
  const data = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, data));
  const [at] = header['model.layers.0.self_attn.q_proj.weight'].data_offsets;
  // NaN as float32 and as bfloat16.
  await writeFile(file, bytes.fill(0xff, data + at, data + at + 4));
  const given = { ...attempt({ number: 91 }), model_directory: broken };
  const life = await live(given, path.join(root, 'nan'));
  expect(event(life, 'failed')).toMatchObject({
    reason: 'nan_loss',
    message: expect.stringMatching(/^The model's own weights or logits are not numbers: .* is NaN, before the first/),
    remedy: expect.stringContaining('model.name'),
  });
});

test('a verbose step tells its phases and its groups', () => {
  const said = messages(whole);
  expect(said).toContain('--- Phase: backpropagation ---');
  expect(said).toContainEqual(expect.stringMatching(/^Group Summary:\n {2}Total groups: \d\n/));
  expect(said).toContain('Collecting rollouts: 4 tasks × 6 rollouts');
  expect(said).toContainEqual(expect.stringMatching(/^\[ROLLOUT\] Task train_\d+ \| Rollout 6\/6$/));
});
