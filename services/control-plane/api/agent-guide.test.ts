import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type AttemptSpec,
  agentOperations,
  attemptSpecSchema,
  type UploadFile,
  type Want,
} from '../../contracts/agent-operations.ts';
import { type CheckpointCommit, checkpointFileSchema, type Manifest } from '../../contracts/checkpoint.ts';
import type { Operation } from '../../contracts/operation.ts';
import { commonProblems, type ProblemType, problems } from '../../contracts/problem.ts';
import { exitReasons } from '../../contracts/reason.ts';
import type { TrainerRecord } from '../../contracts/record.ts';
import { runSpecSchema } from '../../contracts/run-spec.ts';
import { type StoreServer, startStoreServer } from '../../platform/testing/store-server.ts';
import { ProblemError } from './problem-error.ts';
import { serveAgent, type TestServer } from './testing.ts';

const guide = readFileSync('services/contracts/agent.md', 'utf8');
const trainer = resolve('services/contracts/plain_trainer.py');
const hasPython = spawnSync('python3', ['--version']).status === 0;

test('the guide tells of exactly the problems that the agent API has', () => {
  const told = [...guide.matchAll(/^\| `([a-z-]+)` \| (\d{3}) \|/gm)].map(([, type, status]) => [type, Number(status)]);
  const types = Object.values<Operation>(agentOperations).flatMap((operation) => operation.problems);
  const all = new Set<ProblemType>([...types, ...commonProblems.filter((type) => type !== 'forbidden-host')]);
  expect(told.sort()).toEqual([...all].map((type) => [type, problems[type].status]).sort());
});

describe.skipIf(!hasPython)('the trainer in plain Python', () => {
  let directory: string;
  let server: TestServer;
  let stored: TrainerRecord[];
  let commits: CheckpointCommit[];
  let resume: AttemptSpec['resume'];
  let want: (step: number) => Want;
  let beforeRecords: (calls: number) => void;
  /** Null where checkpoints go to a directory. */
  let store: StoreServer | null;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tandem-python-'));
    stored = [];
    commits = [];
    resume = [];
    store = null;
    want = () => 'run';
    beforeRecords = () => undefined;
    let calls = 0;
    const objects = join(directory, 'objects');
    server = await serveAgent({
      getAttemptSpec: async () => ({ status: 200, body: specWith(resume) }),
      postRecords: async ({ body }) => {
        calls += 1;
        beforeRecords(calls);
        for (const record of body) {
          if (record.n > stored.length + 1) throw new ProblemError('record-gap', `expected ${stored.length + 1}`);
          if (record.n === stored.length + 1) stored.push(record);
        }
        const step = stored.findLast((record) => record.kind === 'metrics')?.step ?? 0;
        const levels = { training: 'INFO', rollout: 'INFO', eval: 'INFO', performance: 'INFO' } as const;
        return { status: 200, body: { high: stored.length, want: want(step), deadline: null, log_levels: levels } };
      },
      postUploads: async ({ body }) => {
        if (store !== null) return { status: 200, body: { directory: null, parts: plan(store, body) } };
        const target = join(objects, `checkpoint-${body.step}`);
        mkdirSync(target, { recursive: true });
        return { status: 200, body: { directory: target, parts: null } };
      },
      postCheckpoint: async ({ body }) => {
        for (const { path, size, sha256 } of body.files) {
          const name = `checkpoint-${body.step}/${path}`;
          const bytes = store === null ? readFileSync(join(objects, name)) : (store.complete(name) ?? Buffer.of());
          expect([bytes.length, createHash('sha256').update(bytes).digest('hex')]).toEqual([size, sha256]);
        }
        commits.push(body);
        return { status: 200, body: manifestOf(body) };
      },
    });
    writeFileSync(join(directory, 'token'), 'token-of-run-7k3m9q2d.a1\n');
  });
  afterEach(async () => {
    await server.close();
    await store?.close();
    rmSync(directory, { recursive: true });
  });

  const start = () =>
    spawn('python3', [trainer], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        PATH: process.env['PATH'],
        TANDEM_AGENT_URL: server.url,
        TANDEM_ATTEMPT_ID: 'run-7k3m9q2d.a1',
        TANDEM_TOKEN_FILE: join(directory, 'token'),
        TANDEM_WORKSPACE: directory,
      },
    });
  const exitOf = async (child: ReturnType<typeof start>) => (await once(child, 'exit'))[0] as number | null;
  const events = () => stored.flatMap((record) => (record.kind === 'event' ? [record.name] : []));
  const reasonOf = (code: number | null) => exitReasons[code ?? 0];
  const steps = () => stored.flatMap((record) => (record.kind === 'metrics' ? [record.step] : []));

  test('trains to the end, saves, reports everything once, and spools what it reports', async () => {
    expect(await exitOf(start())).toBe(0);
    expect(steps()).toEqual([1, 2, 3, 4, 5]);
    expect(stored.at(0)).toMatchObject({ kind: 'event', name: 'started' });
    expect(stored.at(-1)).toMatchObject({ kind: 'event', name: 'finished', reason: 'completed' });
    expect(commits.map(({ step, purposes }) => [step, purposes])).toEqual([
      [2, ['step']],
      [4, ['step']],
      [5, ['step', 'final']],
    ]);
    const spooled = readFileSync(join(directory, 'spool.jsonl'), 'utf8').trim().split('\n');
    expect(spooled.map((line) => JSON.parse(line) as unknown)).toEqual(stored);
  });

  test('stops on request with a checkpoint, and goes on from it', async () => {
    want = (step) => (step === 3 ? 'stop' : 'run');
    expect(await exitOf(start())).toBe(0);
    expect(commits.at(-1)).toMatchObject({ step: 3, purposes: ['stop'] });
    expect(stored.at(-1)?.kind).toBe('metrics');
    resume = [{ label: 'stopped', manifest: null, directory: join(directory, 'objects/checkpoint-3'), urls: null }];
    stored = [];
    expect(await exitOf(start())).toBe(0);
    expect(steps()).toEqual([4, 5]);
  });

  test('saves at the step at which it is asked to, besides those that are due, and goes on', async () => {
    want = (step) => (step === 3 ? 'save' : 'run');
    expect(await exitOf(start())).toBe(0);
    expect(steps()).toEqual([1, 2, 3, 4, 5]);
    expect(commits.map(({ step, purposes }) => [step, purposes])).toEqual([
      [2, ['step']],
      [3, ['step']],
      [4, ['step']],
      [5, ['step', 'final']],
    ]);
    expect(stored.at(-1)).toMatchObject({ kind: 'event', name: 'finished', reason: 'completed' });
  });

  test('sends its checkpoints to an object store, again what fails, and fetches the one it goes on from', async () => {
    const bucket = await startStoreServer();
    store = bucket;
    let requests = 0;
    bucket.interfere = () => (requests++ === 1 ? { status: 403, code: 'AccessDenied' } : undefined);
    want = (step) => (step === 3 ? 'stop' : 'run');
    expect(await exitOf(start())).toBe(0);
    expect(commits.map(({ step }) => step)).toEqual([2, 3]);
    expect(bucket.requests).toHaveLength(5);

    const { files } = commits.at(-1)!;
    const urls = Object.fromEntries(files.map(({ path }) => [path, bucket.link(`checkpoint-3/${path}`)]));
    const manifest = manifestOf(commits.at(-1)!);
    resume = [{ label: 'stopped', manifest, directory: null, urls }];
    stored = [];
    expect(await exitOf(start())).toBe(0);
    expect(steps()).toEqual([4, 5]);
  });

  test('stopped and resumed ends with the same bytes as without a stop, past a checkpoint that is damaged', async () => {
    expect(await exitOf(start())).toBe(0);
    const whole = commits.at(-1)?.files;
    want = (step) => (step === 3 ? 'stop' : 'run');
    stored = [];
    expect(await exitOf(start())).toBe(0);
    const stop = commits.at(-1)!;
    const other = join(directory, 'damaged');
    cpSync(join(directory, 'objects/checkpoint-3'), other, { recursive: true });
    writeFileSync(join(other, 'model/line.json'), '{"slope": 9.0}');
    const manifest = manifestOf(stop);
    resume = [
      { label: 'damaged', manifest, directory: other, urls: null },
      { label: 'whole', manifest, directory: join(directory, 'objects/checkpoint-3'), urls: null },
    ];
    stored = [];
    expect(await exitOf(start())).toBe(0);
    expect(commits.at(-1)?.files).toEqual(whole);
    expect(events()).toEqual(['started', 'checkpoint_rejected', 'resumed', 'finished']);
  });

  test('does not begin anew when none of its checkpoints is whole', async () => {
    resume = [{ label: 'gone', manifest: null, directory: join(directory, 'nothing'), urls: null }];
    expect(reasonOf(await exitOf(start()))).toBe('invalid_checkpoint');
    expect(stored.at(-1)).toMatchObject({ name: 'failed', reason: 'invalid_checkpoint', remedy: expect.any(String) });
    expect(commits).toEqual([]);
  });

  test('sends again what was lost when the control plane says that there is a gap', async () => {
    beforeRecords = (calls) => {
      if (calls === 3) stored.splice(2);
    };
    expect(await exitOf(start())).toBe(0);
    expect(steps()).toEqual([1, 2, 3, 4, 5]);
    expect(stored.map(({ n }) => n)).toEqual(stored.map((_, at) => at + 1));
  });

  test('saves nothing once its attempt is closed', async () => {
    beforeRecords = (calls) => {
      if (calls === 2) throw new ProblemError('attempt-closed', 'over');
    };
    expect(await exitOf(start())).toBe(0);
    expect(commits).toEqual([]);
    expect(existsSync(join(directory, 'objects'))).toBe(false);
  });

  test('tries again while the control plane is away', async () => {
    beforeRecords = (calls) => {
      if (calls === 1 || calls === 3) throw new ProblemError('unavailable', 'starting');
    };
    expect(await exitOf(start())).toBe(0);
    expect(steps()).toEqual([1, 2, 3, 4, 5]);
  });
});

function plan(store: StoreServer, { step, files }: { step: number; files: readonly UploadFile[] }) {
  const parts = (file: UploadFile) => store.plan(`checkpoint-${step}/${file.path}`, checkpointFileSchema.parse(file));
  return Object.fromEntries(files.map((file) => [file.path, parts(file)]));
}

function manifestOf(commit: CheckpointCommit): Manifest {
  const [run, name] = ['run-7k3m9q2d', `checkpoint-${commit.step}`];
  return { schema: 'tandem.checkpoint/1', run, attempt: 1, name, created_at: '2026-11-20T09:00:00.000Z', ...commit };
}

function specWith(resume: AttemptSpec['resume']): AttemptSpec {
  const level = 'INFO' as const;
  return attemptSpecSchema.parse({
    run: 'run-7k3m9q2d',
    attempt: 1,
    spec: runSpecSchema.parse({ model: { name: 'm' }, training: { max_steps: 5, save_steps: 2 } }),
    model_directory: '/m',
    model_origin: null,
    base_adapter_directory: null,
    train_data: null,
    val_data: null,
    reward_files: [],
    adapters_directory: '/a',
    inference_url: null,
    hand_off: { mode: 'none', deadline: 60 },
    resume,
    baseline: null,
    run_baseline_eval: false,
    verbose: false,
    output_dir: 'o',
    log_levels: { training: level, rollout: level, eval: level, performance: level },
  });
}
