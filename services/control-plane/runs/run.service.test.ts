import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CheckpointCommit } from '../../contracts/checkpoint.ts';
import type { Database } from '../../platform/database.ts';
import { ProblemError } from '../api/problem-error.ts';
import { createTestBench, reconcileUntil, type TestBench, trainerPrelude, writeBenchModel } from '../testing.ts';
import type { Wiring } from '../wiring.ts';

let bench: TestBench;
let wiring: Wiring & { db: Database };
let now: number;

beforeEach(async () => {
  bench = await createTestBench();
  now = Date.parse('2026-11-20T09:00:00Z');
  wiring = await bench.open({ now: () => now });
});
afterEach(() => bench.remove());

const submit = async (change: Record<string, unknown> = {}) =>
  await wiring.service.submit(bench.spec(change), () => undefined);
const resume = async (
  id: string,
  request: { from?: string; overrides?: Record<string, unknown>; fork?: boolean } = {},
) => await wiring.service.resume(id, { from: 'latest', overrides: {}, fork: false, ...request }, () => undefined);
const refusalOf = async (work: Promise<unknown>): Promise<ProblemError> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ProblemError)) throw new Error(`not refused with a problem: ${String(error)}`);
  return error;
};
const issuesOf = async (change: Record<string, unknown>) => {
  const { type, issues = [] } = await refusalOf(submit(change));
  return { type, issues: Object.fromEntries(issues.map(({ path, message }) => [path, message])) };
};

/** Puts the run on the machine until its trainer is there, and saves a checkpoint in its name. */
async function startAndSave(
  id: string,
  step: number,
  purposes: CheckpointCommit['purposes'] = ['step'],
): Promise<void> {
  await reconcileUntil(wiring, () => wiring.service.get(id).attempts.at(-1)?.roles[0]?.pid != null);
  const attempt = wiring.service.get(id).attempts.length;
  const directory = join(bench.root, `.tandem/objects/runs/${id}/checkpoints/a${attempt}/checkpoint-${step}`);
  mkdirSync(join(directory, 'model'), { recursive: true });
  writeFileSync(join(directory, 'model/config.json'), '{}');
  writeFileSync(join(directory, 'model/model.safetensors'), 'weights');
  const file = (path: string, size: number) => ({ path, size, sha256: 'a'.repeat(64) });
  const manifest = {
    schema: 'tandem.checkpoint/1',
    run: id,
    attempt,
    name: `checkpoint-${step}`,
    created_at: new Date(now).toISOString(),
    step,
    purposes,
    policy_version: step,
    record: 0,
    epoch: 0,
    best_metric: null,
    metrics: {},
    inputs: {},
    files: [file('model/config.json', 2), file('model/model.safetensors', 7)],
  };
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify(manifest));
  await wiring.recover();
}
async function end(id: string): Promise<void> {
  wiring.service.cancel(id);
  now += 200_000;
  await reconcileUntil(wiring, () => {
    now += 1000;
    return (
      wiring.service.get(id).status === 'cancelled' &&
      wiring.db.get('SELECT 1 FROM runs WHERE files_due = 1') === undefined
    );
  });
}
const saved = async (step: number, change: Record<string, unknown> = {}): Promise<string> => {
  bench.script('trainer', 'exec sleep 60');
  const { body } = await submit(change);
  await startAndSave(body.id, step);
  await end(body.id);
  return body.id;
};

describe('submit', () => {
  it('queues a run, claims its tree and writes both down', async () => {
    const { status, body } = await submit({ labels: { team: 'a' }, training: { output_dir: 'outputs/mine' } });
    expect(status).toBe(201);
    expect(body).toMatchObject({ status: 'queued', reason: 'submitted', output_dir: 'outputs/mine', parent: null });
    expect(JSON.parse(bench.read('outputs/mine/.tandem-run.json'))).toEqual({ run: body.id, installation: 'bench' });
    expect(JSON.parse(bench.read(`.tandem/objects/runs/${body.id}/run.json`))).toMatchObject({ id: body.id });
    expect(wiring.service.get(body.id)).toEqual(body);
  });

  it('keeps the reply inside the transaction that makes the run', async () => {
    const failing = wiring.service.submit(bench.spec(), () => {
      throw new Error('the reply cannot be kept');
    });
    await expect(failing).rejects.toThrow('the reply cannot be kept');
    expect(wiring.service.list({ limit: 10 }).runs).toEqual([]);
  });

  it('names everything that is wrong in one answer', async () => {
    const { type, issues } = await issuesOf({
      model: { name: 'nothing-here' },
      data: { train_data: 'missing.jsonl', val_data: '/etc/passwd' },
      training: { early_stopping_patience: 3 },
    });
    expect(type).toBe('invalid-spec');
    expect(issues).toEqual({
      'model.name': `${bench.root}/nothing-here does not exist on this machine; give the path of a directory, or a model of a hub as owner/name`,
      'data.train_data': `${bench.root}/missing.jsonl does not exist on this machine; give the path of a file or directory`,
      'data.val_data': expect.stringContaining('is outside the directories this control plane may use'),
    });
  });

  it('refuses a run on GBox without its key in the sentence that train.sh has, before anything else that is wrong with it', async () => {
    const gbox = { method: 'grpo', environment: { type: 'gbox' } };
    const refused = await refusalOf(submit(gbox));
    expect(refused).toMatchObject({ type: 'invalid-spec' });
    expect(refused.message).toMatch(/^environment\.type: GBOX_API_KEY is not set: /);
    // The key alone would not do: this build has no such environment.
    expect(refused.issues).toHaveLength(2);

    const keyed = await createTestBench();
    try {
      const { service } = await keyed.open({ environment: { GBOX_API_KEY: 'key' } });
      const { message } = await refusalOf(service.submit(keyed.spec(gbox), () => undefined));
      expect(message).toMatch(/^environment\.type: /);
      expect(message).not.toContain('GBOX_API_KEY');
    } finally {
      await keyed.remove();
    }
  });

  it('refuses what waits for evaluations where there are none', async () => {
    const { issues } = await issuesOf({ training: { early_stopping_patience: 3, target_accuracy: 0.9 } });
    expect(Object.keys(issues)).toEqual(['training.early_stopping_patience', 'training.target_accuracy']);
  });

  it.each([
    ['a NUL character', 'a\0b', 'NUL character'],
    ['a name that is too long', 'x'.repeat(300), 'is too long for a path'],
    ['a circle of links', 'circle', 'leads nowhere (ELOOP)'],
  ])('refuses %s wherever a path is given', async (_what, path, message) => {
    symlinkSync('circle', join(bench.root, 'circle'));
    const places = {
      'model.name': { model: { name: path } },
      'data.train_data': { data: { train_data: path } },
      'training.output_dir': { training: { output_dir: path } },
    };
    for (const [place, change] of Object.entries(places)) {
      expect((await issuesOf(change)).issues[place]).toContain(message);
    }
  });

  it('refuses a symbolic link that leads out of the roots', async () => {
    symlinkSync('/etc/hostname', join(bench.root, 'link.jsonl'));
    const { issues } = await issuesOf({ data: { train_data: 'link.jsonl' } });
    expect(issues['data.train_data']).toContain('link.jsonl leads to /etc/hostname, which is outside');
  });

  it.each(['/tmp/elsewhere', '../x', 'outputs/../../x'])('refuses a tree at %s', async (output_dir) => {
    expect((await issuesOf({ training: { output_dir } })).issues['training.output_dir']).toContain('is outside');
  });

  it.each([
    '.',
    'outputs',
    '.tandem/mine',
  ])('refuses a tree that would swallow others, or Tandem itself: %s', async (output_dir) => {
    expect((await issuesOf({ training: { output_dir } })).type).toBe('invalid-spec');
  });

  it('says both that there is no such directory and why no model of that name can be had from the hub', async () => {
    const { issues } = await issuesOf({ model: { name: 'models/mistyped' } });
    expect(issues['model.name']).toMatch(
      /models\/mistyped does not exist on this machine, and as the name of a hub it cannot be used: .* cannot be reached: .*set HF_ENDPOINT/,
    );
  });

  it('refuses a revision of what is no model of a hub', async () => {
    const { issues } = await issuesOf({ model: { name: 'model', revision: 'v2' } });
    expect(issues['model.revision']).toContain('is for models of a hub, and this one is none');
  });

  it('says how the model of a run is named where its tree was given', async () => {
    const path = 'outputs/run-aaaaaaaa/best_model/model';
    const given = async () => (await issuesOf({ model: { name: path } })).issues['model.name'];
    expect(await given()).toContain('is named runs/run-aaaaaaaa/best');
    writeBenchModel(join(bench.root, path));
    rmSync(join(bench.root, path, 'model.safetensors'));
    expect(await given()).toMatch(/has no model\.safetensors.*is named runs\/run-aaaaaaaa\/best/);
  });

  it('refuses a model directory without a configuration', async () => {
    mkdirSync(join(bench.root, 'empty'));
    expect((await issuesOf({ model: { name: 'empty' } })).issues['model.name']).toContain('config.json is missing');
  });

  it.each([
    ['is cut off', '{"model_type":', 'is not JSON'],
    ['is no object', 'null', 'is not a JSON object'],
    ['is larger than any', `{"a": "${'x'.repeat(9 * 2 ** 20)}"}`, 'the limit for JSON is'],
  ])('refuses a model directory whose configuration %s', async (_what, content, why) => {
    mkdirSync(join(bench.root, 'odd'));
    writeFileSync(join(bench.root, 'odd/config.json'), content);
    expect((await issuesOf({ model: { name: 'odd' } })).issues['model.name']).toContain(why);
  });

  it('refuses a model directory whose configuration is a pipe, without waiting for its writer', async () => {
    mkdirSync(join(bench.root, 'odd'));
    execFileSync('mkfifo', [join(bench.root, 'odd/config.json')]);
    expect((await issuesOf({ model: { name: 'odd' } })).issues['model.name']).toContain('is not a file');
  });

  it.each([
    ['gone', (path: string) => rmSync(path), 'is missing'],
    ['damaged', (path: string) => writeFileSync(path, '['), 'is not JSON'],
  ])('refuses what another run trained when its configuration is %s', async (_what, harm, why) => {
    const old = await saved(40);
    harm(join(bench.root, `.tandem/objects/runs/${old}/checkpoints/a1/checkpoint-40/model/config.json`));
    expect((await issuesOf({ model: { name: `runs/${old}/latest` } })).issues['model.name']).toContain(
      `model/config.json of ${old}/a1/checkpoint-40 ${why}`,
    );
  });

  it('says with the arithmetic what this host cannot place', async () => {
    const { type, issues } = await issuesOf({
      method: 'grpo',
      trainer: 'areal',
      gpu_profile: 'split-8',
      model: { name: 'model' },
      inference: { backend: 'vllm', vllm: { tensor_parallel_size: 4 } },
      rollout: { max_turns: 15 },
    });
    expect(type).toBe('cannot-place');
    expect(issues).toEqual({
      gpu_profile:
        'split-8 needs 8 GPUs (4 for inference, 4 for the trainer), this host has 0; leave gpu_profile out to use cpu',
      trainer: expect.stringContaining('areal is a container image'),
      'inference.backend': expect.stringContaining('vllm needs at least 4 GPUs, this host has 0'),
      'rollout.max_turns': expect.stringContaining('set rollout.max_turns: 1'),
    });
  });

  it('names the trainers for more GPUs when a profile gives tfjs more than one', async () => {
    const { issues } = await issuesOf({ gpu_profile: 'shared-8' });
    expect(issues['gpu_profile']).toContain('trainers for more are areal and trl');
  });

  it('takes a group of one, and other unusual settings, with a warning', async () => {
    const { body } = await submit({
      method: 'grpo',
      rollout: { num_rollouts: 1 },
      monitoring: { enable_wandb: true },
    });
    expect(body.warnings).toEqual([
      'rollout.num_rollouts 1: a group of one has no variance, so nothing is learned',
      expect.stringContaining('data.val_data is not set'),
      expect.stringContaining('monitoring.enable_wandb'),
    ]);
  });

  it('changes nothing in a dry run, and shows what would be started', async () => {
    const plan = await wiring.service.dryRun(
      bench.spec({ method: 'grpo', lora_r: 8, training: { output_dir: 'outputs/dry' } }),
    );
    expect(plan).toMatchObject({ renamed: { lora_r: 'model.lora.r' }, output_dir: 'outputs/dry', continues: null });
    expect(plan.placement.roles.map(({ role }) => role)).toEqual(['inference', 'trainer']);
    expect(plan.placement.roles[0]?.command.join(' ')).toContain(
      `--model ${bench.root}/model --served-model-name run-`,
    );
    expect(plan.placement.roles[0]?.command.join(' ')).toContain('--enable-lora --max-lora-rank 8');
    expect(existsSync(join(bench.root, 'outputs/dry'))).toBe(false);
    expect(wiring.service.list({ limit: 10 }).runs).toEqual([]);
  });
});

describe('one tree, one run', () => {
  const mine = { training: { output_dir: 'outputs/mine' } };

  it('refuses the tree of a run that is not over', async () => {
    const { body } = await submit(mine);
    const refused = await refusalOf(submit(mine));
    expect(refused.type).toBe('conflict');
    expect(refused.message).toContain(`is the tree of ${body.id}, which is queued`);
  });

  it('gives one of two simultaneous submissions the tree', async () => {
    const results = await Promise.allSettled([submit(mine), submit(mine)]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('continues an ended run from its latest checkpoint, with what the new spec changes', async () => {
    const id = await saved(40, mine);
    const { status, body } = await submit({ training: { output_dir: 'outputs/mine', max_steps: 90 } });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id,
      status: 'queued',
      reason: 'resumed',
      message: 'Found latest checkpoint: outputs/mine/checkpoints/checkpoint-40',
      spec: { training: { max_steps: 90 } },
    });
    await reconcileUntil(wiring, () => wiring.service.get(id).attempts.length === 2);
    expect(wiring.service.get(id).attempts[1]).toMatchObject({
      resumed_from: `${id}/a1/checkpoint-40`,
      resumed_step: 40,
    });
  });

  it('refuses to continue with fewer steps than were done, or with another model', async () => {
    await saved(40, mine);
    writeBenchModel(join(bench.root, 'model2'));
    const short = await issuesOf({ training: { output_dir: 'outputs/mine', max_steps: 30 } });
    expect(short.issues['training.max_steps']).toContain('30 steps are asked for, and checkpoint-40 has done 40 steps');
    const other = await issuesOf({ ...mine, model: { name: 'model2' } });
    expect(other.issues['model.name']).toContain('cannot change within a run');
  });

  it('moves the tree of an ended run aside for a fresh start', async () => {
    const old = await saved(40, mine);
    const { status, body } = await submit({ training: { output_dir: 'outputs/mine', start_fresh: true } });
    expect(status).toBe(201);
    expect(body.id).not.toBe(old);
    expect(wiring.service.get(old).output_dir).toBe(`outputs/mine.${old}`);
    expect(JSON.parse(bench.read(`outputs/mine.${old}/.tandem-run.json`)).run).toBe(old);
    expect(JSON.parse(bench.read('outputs/mine/.tandem-run.json')).run).toBe(body.id);
  });

  it("refuses a directory that holds somebody's files, and leaves them alone", async () => {
    mkdirSync(join(bench.root, 'outputs/mine'), { recursive: true });
    writeFileSync(join(bench.root, 'outputs/mine/thesis.txt'), 'precious');
    const refused = await refusalOf(submit(mine));
    expect(refused.message).toContain('holds 1 entries that no run has written; choose another training.output_dir');
    expect(bench.read('outputs/mine/thesis.txt')).toBe('precious');
  });

  it('takes over a tree that was claimed by a submission which was cut off', async () => {
    mkdirSync(join(bench.root, 'outputs/mine'), { recursive: true });
    writeFileSync(join(bench.root, 'outputs/mine/.tandem-run.json'), '{"run":"run-00000001","installation":"bench"}');
    expect((await submit(mine)).status).toBe(201);
  });
});

describe('starting from a checkpoint', () => {
  it('starts a new run from a checkpoint of another one, by name or by a path of its tree', async () => {
    const old = await saved(40, { training: { output_dir: 'outputs/old' } });
    for (const resume_from_checkpoint of [`runs/${old}/checkpoint-40`, 'outputs/old/checkpoints/checkpoint-40']) {
      const { body } = await submit({ checkpoint: { resume_from_checkpoint } });
      expect(body.parent).toBe(`${old}/checkpoint-40`);
      wiring.service.cancel(body.id);
    }
  });

  it('starts from a folder that no run has written', async () => {
    mkdirSync(join(bench.root, 'foreign/checkpoint-7'), { recursive: true });
    const { body } = await submit({ checkpoint: { resume_from_checkpoint: 'foreign/checkpoint-7' } });
    bench.script('trainer', 'exec sleep 60');
    await reconcileUntil(wiring, () => wiring.service.get(body.id).attempts.length === 1);
    expect(wiring.service.get(body.id).attempts[0]).toMatchObject({
      resumed_from: join(bench.root, 'foreign/checkpoint-7'),
      resumed_step: null,
    });
  });

  it('trains on the model of another run, which lies ready under its own directory', async () => {
    const old = await saved(40);
    const { body } = await submit({ model: { name: `runs/${old}` } });
    expect(bench.read(`.tandem/work/${body.id}/model/model.safetensors`)).toBe('weights');
    expect(wiring.db.get('SELECT model_directory FROM runs WHERE id = :id', { id: body.id })).toEqual({
      model_directory: join(bench.root, '.tandem/work', body.id, 'model'),
    });
  });

  it('says which checkpoints there are when the one asked for is none of them', async () => {
    const old = await saved(40);
    const refused = await refusalOf(resume(old, { from: 'checkpoint-7' }));
    expect(refused.type).toBe('checkpoint-unusable');
    expect(refused.message).toContain(`GET /runs/${old}/checkpoints lists those there are`);
  });
});

describe('resume', () => {
  it('takes overrides by any accepted name and leaves the rest as it was', async () => {
    const id = await saved(40);
    const { status, body } = await resume(id, {
      from: 'checkpoint-40',
      overrides: { lr: 0.5, training: { max_steps: 99 } },
    });
    expect(status).toBe(200);
    expect(body.spec.training).toMatchObject({ learning_rate: 0.5, max_steps: 99, batch_size: 4 });
  });

  it.each([
    false,
    true,
  ])('is refused when the model has gone meanwhile (fork: %s), and leaves the run as it was', async (fork) => {
    const id = await saved(40);
    renameSync(join(bench.root, 'model'), join(bench.root, 'moved'));
    const refused = await refusalOf(resume(id, { fork }));
    expect(refused).toMatchObject({
      type: 'invalid-spec',
      message: expect.stringMatching(/^model\.name: .*config\.json is missing/),
    });
    expect(wiring.service.get(id).status).toBe('cancelled');
  });

  it('forks into a new run with a tree of its own', async () => {
    const id = await saved(40, { training: { output_dir: 'outputs/mine' } });
    const { status, body } = await resume(id, { fork: true });
    expect(status).toBe(201);
    expect(body).toMatchObject({ parent: `${id}/checkpoint-40`, output_dir: `outputs/${body.id}` });
    expect(wiring.service.get(id).status).toBe('cancelled');
    await expect(wiring.service.remove(id)).rejects.toThrow(`${id} is what ${body.id} started from`);
  });

  it('refuses a fork into a tree that it may not have, and leaves the run as it was', async () => {
    const id = await saved(40);
    const overrides = { training: { output_dir: '/etc/mine' } };
    const refused = await refusalOf(resume(id, { fork: true, overrides }));
    expect(refused).toMatchObject({ type: 'invalid-spec', message: expect.stringContaining('training.output_dir: ') });
    expect(wiring.service.get(id).status).toBe('cancelled');
  });

  it('refuses a checkpoint that is deleted while it is being looked at, and leaves the run as it was', async () => {
    const id = await saved(40);
    const transaction = wiring.db.transaction;
    for (const again of [() => resume(id), () => resume(id, { fork: true })]) {
      wiring.db.transaction = (work) => {
        wiring.db.run("UPDATE checkpoints SET run = 'gone'");
        return transaction(work);
      };
      const refused = await refusalOf(again());
      expect(refused).toMatchObject({
        type: 'checkpoint-unusable',
        message: expect.stringContaining(`${id}/a1/checkpoint-40 has just been deleted`),
      });
      wiring.db.transaction = transaction;
      expect(wiring.service.get(id).status).toBe('cancelled');
      expect(wiring.service.list({ limit: 9 }).runs).toHaveLength(1);
      wiring.db.run('UPDATE checkpoints SET run = :id', { id });
    }
  });

  it('refuses a run that is under way', async () => {
    const { body } = await submit();
    expect((await refusalOf(resume(body.id))).message).toContain(
      'is queued; it can be resumed once it has paused or ended',
    );
  });

  it('starts anew when nothing was saved', async () => {
    const { body } = await submit();
    wiring.service.cancel(body.id);
    expect((await resume(body.id)).body).toMatchObject({ status: 'queued', message: 'Resumed from the beginning.' });
  });
});

describe('pause, cancel, delete', () => {
  it('pauses and cancels a queued run at once, any number of times', async () => {
    const { body } = await submit();
    expect(wiring.service.pause(body.id).status).toBe('paused');
    expect(wiring.service.pause(body.id).status).toBe('paused');
    expect(wiring.service.cancel(body.id).status).toBe('cancelled');
    expect(wiring.service.cancel(body.id).status).toBe('cancelled');
    expect(() => wiring.service.pause(body.id)).toThrow(/there is nothing to pause/);
  });

  it('lets a pause become a cancellation, with the deadline it had', async () => {
    bench.script('trainer', 'exec sleep 60');
    const { body } = await submit();
    await reconcileUntil(wiring, () => wiring.service.get(body.id).attempts[0]?.roles[0]?.pid != null);
    const paused = wiring.service.pause(body.id);
    now += 5000;
    const cancelled = wiring.service.cancel(body.id);
    expect(paused.message).toContain('2026-11-20T09:02:00.000Z');
    expect(cancelled).toMatchObject({
      reason: 'cancel_requested',
      message: paused.message.replace('Pausing', 'Cancelling'),
    });
    expect(() => wiring.service.pause(body.id)).toThrow(/is being cancelled/);
  });

  it('deletes an ended run with all that Tandem wrote, and nothing else', async () => {
    bench.script('trainer', `${trainerPrelude} record "$finished"`);
    const { body } = await submit({ training: { output_dir: 'outputs/mine' } });
    expect((await refusalOf(wiring.service.remove(body.id))).message).toContain('cancel it first');
    await reconcileUntil(
      wiring,
      () => wiring.db.get("SELECT 1 FROM runs WHERE status = 'succeeded' AND files_due = 0") !== undefined,
    );
    writeFileSync(join(bench.root, 'outputs/mine/notes.txt'), 'mine');
    await reconcileUntil(wiring, () => !existsSync(join(bench.root, '.tandem/work', body.id)));
    await wiring.service.remove(body.id);
    expect(() => wiring.service.get(body.id)).toThrow(/There is no run/);
    expect(existsSync(join(bench.root, 'outputs/mine/.tandem-run.json'))).toBe(false);
    expect(bench.read('outputs/mine/notes.txt')).toBe('mine');
    for (const place of ['records', 'output', 'work', 'objects/runs']) {
      expect(existsSync(join(bench.root, '.tandem', place, body.id)), place).toBe(false);
    }
  });
});

describe('list', () => {
  it('pages from the newest to the oldest without loss or double, also by label', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      now += i % 2;
      ids.push((await submit({ labels: { parity: i % 2 === 0 ? 'even' : 'odd' } })).body.id);
    }
    const walk = (label?: string) => {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = wiring.service.list({ limit: 2, cursor, label });
        seen.push(...page.runs.map(({ id }) => id));
        cursor = page.next ?? undefined;
      } while (cursor !== undefined);
      return seen;
    };
    expect(walk().toSorted()).toEqual(ids.toSorted());
    expect(walk()[0]).toBe([ids[3], ids[4]].toSorted()[1]);
    expect(walk('parity=even').toSorted()).toEqual([ids[0], ids[2], ids[4]].toSorted());
    expect(wiring.service.list({ limit: 2, status: 'running' }).runs).toEqual([]);
  });

  it('refuses a cursor that it did not give', () => {
    expect(() => wiring.service.list({ limit: 2, cursor: 'nonsense' })).toThrow(/query.cursor/);
  });
});
