import { mkdirSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AttemptSpec, recordsReplySchema } from '../../contracts/agent-operations.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import type { Database } from '../../platform/database.ts';
import { createListener } from '../api/listener.ts';
import { commitOf, manifestOf } from '../checkpoints/checkpoint.fixtures.ts';
import { closeServer, listen } from '../listen.ts';
import { readGpuProfiles } from '../runs/gpu-profiles.ts';
import { createTestBench, reconcileUntil, type TestBench } from '../testing.ts';
import type { Wiring } from '../wiring.ts';
import { type AgentOptions, createAgentHandlers } from './attempt.agent.ts';

let bench: TestBench;
let wiring: Wiring & { db: Database };
let server: Server;
let url: string;

beforeEach(async () => {
  bench = await createTestBench();
  bench.script('trainer', 'trap "exit 0" TERM; while :; do sleep 0.02; done');
  wiring = await bench.open();
  server = createListener(wiring.agentApp);
  url = `http://127.0.0.1:${await listen(server, '127.0.0.1', 0, 'taken')}/agent/attempts`;
});
afterEach(async () => {
  await closeServer(server);
  await bench.remove();
});

const started = async (change: Record<string, unknown> = {}) => {
  const { body } = await wiring.service.submit(bench.spec(change), () => undefined);
  await reconcileUntil(wiring, () => wiring.service.get(body.id).attempts.at(-1)?.roles[0]?.pid != null);
  return body.id;
};
const tokenOf = (run: string, attempt = 1) => bench.read(`.tandem/work/${run}/a${attempt}/trainer/token`);
const get = async (path: string, token: string) =>
  await fetch(`${url}/${path}`, { headers: { authorization: `Bearer ${token}`, connection: 'close' } });
const post = async (run: string, records: object[], attempt = 1) =>
  await fetch(`${url}/${run}.a${attempt}/records`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${tokenOf(run, attempt)}`,
      'content-type': 'application/x-ndjson',
      connection: 'close',
    },
    body: records.map((record) => `${JSON.stringify(record)}\n`).join(''),
  });
const reply = async (response: Response) => recordsReplySchema.parse(await response.json());
const time = '2026-11-20T09:00:00.000Z';
const startedRecord = { n: 1, time, kind: 'event', name: 'started', message: 'Started' };

describe('the agent API', () => {
  it('gives a trainer its orders for its own token, and nobody else', async () => {
    const run = await started({ seed: 7, logging: { rollout_log_level: 'DEBUG' } });
    const origin = { kind: 'hub', repo: 'acme/small', revision: 'main', commit: '1'.repeat(40) };
    wiring.db.run('UPDATE runs SET model_origin = :origin', { origin: JSON.stringify(origin) });
    const response = await get(`${run}.a1/spec`, tokenOf(run));
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      run,
      attempt: 1,
      spec: { seed: 7 },
      model_directory: join(bench.root, 'model'),
      model_origin: origin,
      train_data: join(bench.root, 'train.jsonl'),
      val_data: null,
      reward_files: [],
      adapters_directory: join(bench.root, '.tandem/work', run, 'a1/adapters'),
      inference_url: null,
      hand_off: { mode: 'none', deadline: 60 },
      resume: [],
      baseline: null,
      run_baseline_eval: true,
      log_levels: { training: 'INFO', rollout: 'DEBUG', eval: 'INFO', performance: 'INFO' },
    });
    expect((await get(`${run}.a1/spec`, 'wrong')).status).toBe(401);
    expect((await get(`${run}.a2/spec`, tokenOf(run))).status).toBe(401);
  });

  it('names the server of the user’s own, and says in an event that rollouts come from it', async () => {
    const own = { vllm: { api_base: 'http://127.0.0.1:9/v1' } };
    const run = await started({ method: 'grpo', inference: own });
    expect(await (await get(`${run}.a1/spec`, tokenOf(run))).json()).toMatchObject({
      inference_url: 'http://127.0.0.1:9/v1',
      hand_off: { mode: 'none' },
    });
    expect(wiring.service.get(run).attempts[0]?.roles).toMatchObject([{ role: 'trainer' }]);
    const messages = bench.read(`.tandem/records/${run}/events.jsonl`);
    expect(messages).toContain('rollouts come from a server of your own at http://127.0.0.1:9/v1');
  });

  it('calls the run running at the first report', async () => {
    const run = await started();
    expect(wiring.service.get(run).status).toBe('starting');
    expect(await reply(await post(run, [startedRecord]))).toMatchObject({ high: 1, want: 'run', deadline: null });
    await wiring.reconciler.round();
    expect(wiring.service.get(run)).toMatchObject({ status: 'running', reason: 'training' });
  });

  it('shows with the attempt what its trainer computes on, as its first record says', async () => {
    const run = await started();
    const engine = () => wiring.service.get(run).attempts[0]?.engine;
    expect(engine()).toBeNull();
    const data = { engine: 'node', engine_version: '2.21.0', engine_reason: 'TANDEM_TF=node', pid: 7 };
    await post(run, [{ ...startedRecord, data }]);
    expect(engine()).toEqual({ name: 'node', version: '2.21.0', reason: 'TANDEM_TF=node' });
  });

  it('shows what rollouts do as long as there is a trainer that says so', async () => {
    const run = await started();
    const rollouts = { state: 'generating', in_flight: 8, buffered: 3 };
    const at = { phase: 'training', step: 5, total_steps: 9, epoch: 0, elapsed_seconds: 1, eta_seconds: 1 };
    await post(run, [startedRecord, { n: 2, time, kind: 'progress', ...at, rollouts }]);
    await wiring.reconciler.round();
    expect(wiring.service.get(run)).toMatchObject({ status: 'running', progress: { step: 5, rollouts } });
    wiring.service.cancel(run);
    wiring.db.run('UPDATE runs SET stop_deadline = 0 WHERE id = :run', { run });
    await reconcileUntil(wiring, () => wiring.service.get(run).status === 'cancelled');
    expect(wiring.service.get(run).progress).toMatchObject({ step: 5, rollouts: null });
  });

  it('tells a trainer to stop, until when, and at which level to log', async () => {
    const run = await started();
    wiring.service.setLogging(run, { training_log_level: 'DEBUG', performance_log_level: 'ERROR' });
    wiring.service.pause(run);
    const { want, deadline, log_levels } = await reply(await post(run, []));
    expect({ want, log_levels }).toMatchObject({
      want: 'stop',
      log_levels: { training: 'DEBUG', eval: 'INFO', performance: 'ERROR' },
    });
    expect(wiring.service.get(run).message).toContain(`until ${deadline} at the latest`);
  });

  it('answers 410 once the attempt is over', async () => {
    const run = await started();
    const token = tokenOf(run);
    wiring.db.run('UPDATE runs SET stop_deadline = 0 WHERE id = :run', { run });
    wiring.service.cancel(run);
    wiring.db.run('UPDATE runs SET stop_deadline = 0 WHERE id = :run', { run });
    await reconcileUntil(wiring, () => wiring.service.get(run).status === 'cancelled');
    const response = await get(`${run}.a1/spec`, token);
    expect(response.status).toBe(410);
    expect(await response.json()).toMatchObject({ type: 'urn:tandem:problem:attempt-closed' });
  });

  it('tells the run once what its records say, also when they are sent twice', async () => {
    const run = await started();
    const evaluation = {
      ...{ step: 10, is_baseline: false, accuracy: 0.5, correct_answers: 1, total_samples: 2, eval_time: 1 },
      ...{ avg_reward: 0.5, median_reward: 0.5, std_reward: 0.5, min_reward: 0, max_reward: 1 },
    };
    const records = [startedRecord, { n: 2, time, kind: 'evaluation', evaluation }];
    await post(run, records);
    await post(run, records);
    const told = wiring.db.all<{ message: string }>("SELECT message FROM events WHERE name = 'evaluated'");
    expect(told).toEqual([{ message: 'Evaluation at step 10: accuracy 0.500, average reward 0.500' }]);
  });

  it('tells why a save failed and what helps', async () => {
    const run = await started();
    const failed = {
      kind: 'event',
      name: 'save_failed',
      message: 'checkpoint-3 could not be saved',
      data: { step: 3 },
    };
    await post(run, [
      { n: 1, time, ...failed, reason: 'disk_full', remedy: 'Free 2 MiB.' },
      { n: 2, time, ...failed, reason: 'of_another_version' },
    ]);
    const told = wiring.db.all<{ reason: string | null; data: string }>(
      "SELECT reason, data FROM events WHERE name = 'save_failed' ORDER BY id",
    );
    expect(told.map(({ reason, data }) => [reason, JSON.parse(data)])).toEqual([
      ['disk_full', { step: 3, remedy: 'Free 2 MiB.' }],
      [null, { step: 3 }],
    ]);
  });

  it('notes which checkpoint a trainer really started from', async () => {
    const run = await started();
    for (const step of [20, 40]) save(run, step);
    await wiring.recover();
    wiring.service.pause(run);
    wiring.db.run('UPDATE runs SET stop_deadline = 0 WHERE id = :run', { run });
    await reconcileUntil(wiring, () => wiring.service.get(run).status === 'paused');
    await wiring.service.resume(run, { from: 'latest', overrides: {}, fork: false }, () => undefined);
    await reconcileUntil(wiring, () => wiring.service.get(run).attempts[1]?.roles[0]?.pid != null);
    const spec = (await (await get(`${run}.a2/spec`, tokenOf(run, 2))).json()) as { resume: { label: string }[] };
    expect(spec.resume.map(({ label }) => label)).toEqual([`${run}/a1/checkpoint-40`, `${run}/a1/checkpoint-20`]);
    const data = { checkpoint: `${run}/a1/checkpoint-20`, step: 20 };
    await post(run, [{ ...startedRecord, name: 'resumed', message: 'Resumed from step 20, epoch 0', data }], 2);
    expect(wiring.service.get(run).attempts[1]).toMatchObject({
      resumed_from: `${run}/a1/checkpoint-20`,
      resumed_step: 20,
    });
  });

  it('says how GPUs that both roles share are handed over, where vLLM is one of them', async () => {
    const run = await started({ method: 'grpo', inference: { vllm: { api_base: 'http://127.0.0.1:9/v1' } } });
    const row = wiring.db.get<{ spec: string }>('SELECT spec FROM runs WHERE id = $run', { run });
    const spec = JSON.parse(row?.spec ?? '') as RunSpec;
    const profiles = await readGpuProfiles(join(import.meta.dirname, '../../../gpu-profiles'));
    const handOff = async (backend: 'vllm' | 'embedded', profile: string, managed: boolean) => {
      const vllm = { ...spec.inference.vllm, managed };
      const { getAttemptSpec } = createAgentHandlers({
        runs: { get: () => ({ id: run, profile, spec: { ...spec, inference: { backend, vllm } }, reward_files: [] }) },
        attempts: { get: () => ({ number: 1, ended_at: null, resumed_run: null }) },
        checkpoints: { candidates: () => [], withLinks: async () => [] },
        records: { baseline: () => null },
        runtime: { sharedDirectory: () => '/adapters', seenAt: (path: string) => path },
        profiles,
      } as unknown as AgentOptions);
      const request = { params: { id: `${run}.a1` } } as Parameters<typeof getAttemptSpec>[0];
      const reply = await getAttemptSpec(request, {} as Parameters<typeof getAttemptSpec>[1]);
      return (reply as { body: AttemptSpec }).body.hand_off;
    };
    expect(await handOff('vllm', 'shared-8', true)).toEqual({ mode: 'sleep', deadline: 300 });
    expect(await handOff('vllm', 'split-8', true)).toEqual({ mode: 'none', deadline: 60 });
    expect(await handOff('embedded', 'shared-1', true)).toEqual({ mode: 'none', deadline: 120 });
    expect(await handOff('vllm', 'shared-1', false)).toEqual({ mode: 'none', deadline: 120 });
  });

  it('answers a commit when it is done, however long older checkpoints take to go', async () => {
    const run = await started();
    const pruned: string[] = [];
    const { postCheckpoint } = createAgentHandlers({
      runs: { get: wiring.service.get },
      attempts: { get: () => ({ ended_at: null }) },
      checkpoints: { commit: async () => manifestOf(run, 1, 10) },
      prune: (id: string) => {
        pruned.push(id);
        return new Promise(() => undefined);
      },
    } as unknown as AgentOptions);
    const request = { params: { id: `${run}.a1` }, body: commitOf(10) } as Parameters<typeof postCheckpoint>[0];
    expect(await postCheckpoint(request, {} as Parameters<typeof postCheckpoint>[1])).toMatchObject({
      status: 200,
      body: { step: 10 },
    });
    expect(pruned).toEqual([run]);
  });
});

function save(run: string, step: number): void {
  const directory = join(bench.root, `.tandem/objects/runs/${run}/checkpoints/a1/checkpoint-${step}`);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'optimizer.pt'), 'x');
  const manifest = {
    ...{ schema: 'tandem.checkpoint/1', run, attempt: 1, name: `checkpoint-${step}`, created_at: time, step },
    ...{ purposes: ['step'], policy_version: step, record: 0, epoch: 0, best_metric: null, metrics: {}, inputs: {} },
    files: [{ path: 'optimizer.pt', size: 1, sha256: 'a'.repeat(64) }],
  };
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify(manifest));
}
