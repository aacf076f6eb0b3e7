import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Run } from '../../contracts/run.ts';
import { createTestBench, reconcileUntil, serveHealth, type TestBench, trainerPrelude } from '../testing.ts';
import type { Wiring } from '../wiring.ts';

let bench: TestBench;
beforeEach(async () => {
  bench = await createTestBench();
});
afterEach(() => bench.remove());

const submit = async ({ service }: Wiring, change: Record<string, unknown> = {}): Promise<string> =>
  (await service.submit(bench.spec(change), () => undefined)).body.id;
const runUntil = async (wiring: Wiring, id: string, done: (run: Run) => boolean): Promise<Run> => {
  await reconcileUntil(wiring, () => done(wiring.service.get(id)));
  return wiring.service.get(id);
};
const atRest = ({ status }: Run) => ['succeeded', 'failed', 'cancelled', 'paused'].includes(status);
/** Everything an ended attempt had on the machine is gone. */
const isCleared = async (runtime: { observe(): Promise<unknown[]> }) => (await runtime.observe()).length === 0;
const messages = (wiring: Wiring & { db: { all<T>(sql: string): T[] } }) =>
  wiring.db.all<{ message: string }>('SELECT message FROM events ORDER BY run, id').map(({ message }) => message);

describe('the life of a run', () => {
  it('goes from queued over a trainer that finishes to succeeded, with its output kept and its workspace gone', async () => {
    bench.script('trainer', `${trainerPrelude} record "$finished"; echo hello`);
    const wiring = await bench.open();
    const id = await submit(wiring);
    const run = await runUntil(wiring, id, atRest);
    expect(run).toMatchObject({ status: 'succeeded', reason: 'completed', message: 'All steps done.' });
    expect(run.attempts).toMatchObject([
      { number: 1, reason: 'completed', roles: [{ role: 'trainer', state: 'exited', exit_code: 0 }] },
    ]);
    await reconcileUntil(wiring, () => !existsSync(join(bench.root, '.tandem/work', id)));
    expect(bench.read(`.tandem/output/${id}/${id}.a1.trainer.log`)).toBe('hello\n');
    expect(messages(wiring)).toEqual([
      'queued: submitted.',
      'queued -> starting: attempt 1 starts its trainer, from the beginning.',
      'Attempt 1 from the beginning',
      'The trainer is started',
      'The trainer has ended: with exit code 0',
      'All steps done.',
      'starting -> succeeded: All steps done.',
    ]);
  });

  it("fails with the trainer's own words", async () => {
    bench.script(
      'trainer',
      `${trainerPrelude}
       record '"kind":"event","name":"failed","reason":"invalid_data","message":"train.jsonl line 3 is not JSON.","remedy":"Mend it."'
       exit 65`,
    );
    const wiring = await bench.open();
    const run = await runUntil(wiring, await submit(wiring), atRest);
    expect(run).toMatchObject({
      status: 'failed',
      reason: 'invalid_data',
      message: 'train.jsonl line 3 is not JSON. Mend it.',
    });
  });

  it('is not restarted when what the trainer printed shows that no retry can help, and says the way out', async () => {
    bench.script('trainer', `echo "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'zod'" >&2; exit 1`);
    const wiring = await bench.open();
    const run = await runUntil(wiring, await submit(wiring), atRest);
    expect(run).toMatchObject({ status: 'failed', reason: 'installation_broken', attempts: [{ number: 1 }] });
    expect(run.message).toMatch(/ended with exit code 1\. It printed: .*zod.* Run `npm ci`/);
  });

  it('is restarted after a kill, within its budget, and says how often', async () => {
    bench.script('trainer', 'kill -9 $$');
    const wiring = await bench.open();
    const id = await submit(wiring, { recovery: { max_restarts: 2, backoff_seconds: 0 } });
    const run = await runUntil(wiring, id, atRest);
    expect(run.attempts.map(({ reason }) => reason)).toEqual(['trainer_killed', 'trainer_killed', 'trainer_killed']);
    expect(run).toMatchObject({ status: 'failed', reason: 'trainer_killed' });
    expect(run.message).toContain('All 2 restarts (recovery.max_restarts) since its last new checkpoint are used up');
  });

  it('kills a trainer that goes on reporting and makes no progress, and restarts it', async () => {
    bench.script(
      'trainer',
      `${trainerPrelude}
       trap '' TERM
       record '"kind":"progress","phase":"loading","step":0,"total_steps":9,"epoch":0,"elapsed_seconds":0,"eta_seconds":null'
       if [ -f ${bench.root}/second ]; then record "$finished"; exit 0; fi
       touch ${bench.root}/second
       while :; do sleep 0.02; done`,
    );
    let ahead = 0;
    const wiring = await bench.open({ now: () => Date.now() + ahead });
    const id = await submit(wiring, { recovery: { deadlines: { loading: 60 }, backoff_seconds: 0 } });
    await runUntil(wiring, id, (run) => run.attempts[0]?.roles[0]?.pid != null);
    const heartbeat = setInterval(() => {
      ahead += 4000;
      wiring.records.touch(id, 1);
    }, 10);
    const run = await runUntil(wiring, id, atRest).finally(() => clearInterval(heartbeat));
    expect(run).toMatchObject({
      status: 'succeeded',
      attempts: [{ reason: 'load_timeout' }, { reason: 'completed' }],
      restarts: { after_failures: 1, attempt: 1, reason: 'load_timeout' },
    });
    const events = messages(wiring);
    expect(events).toContain('SIGKILL sent to the trainer: it shows no progress');
    expect(events.filter((message) => message.startsWith('SIGTERM'))).toEqual([]);
  });

  it('starts the inference server first, and again when it dies, while the trainer goes on', async () => {
    const health = await serveHealth();
    bench.script(
      'inference',
      `while [ "$1" != --ready-file ]; do shift; done
       printf '{"url":"${health.url}","pid":%s}' $$ > "$2.tmp"; mv "$2.tmp" "$2"
       echo up >> ${bench.root}/inference-starts
       if [ "$(wc -l < ${bench.root}/inference-starts)" = 1 ]; then sleep 0.3; kill -9 $$; fi
       sleep 60`,
    );
    bench.script(
      'trainer',
      `${trainerPrelude}
       while [ "$(wc -l < ${bench.root}/inference-starts)" != 2 ]; do sleep 0.02; done
       record "$finished"`,
    );
    const wiring = await bench.open();
    const run = await runUntil(wiring, await submit(wiring, { method: 'grpo' }), atRest);
    health.close();
    expect(run.status).toBe('succeeded');
    const events = messages(wiring);
    expect(events.indexOf(`The inference server answers at ${health.url}`)).toBeLessThan(
      events.indexOf('The trainer is started'),
    );
    expect(events).toContain('The inference server has ended: it was ended by signal 9');
    expect(events).toContain('The inference server is started again (start 2)');
    await reconcileUntil(wiring, () => isCleared(wiring.runtime));
  });

  it('fails at once when the inference server calls the model invalid', async () => {
    bench.script('inference', 'echo "the model has no weights" >&2; exit 66');
    const wiring = await bench.open();
    const run = await runUntil(wiring, await submit(wiring, { method: 'grpo' }), atRest);
    expect(run).toMatchObject({ status: 'failed', reason: 'invalid_model' });
    expect(run.message).toContain('the model has no weights');
  });

  it('fails at once, with the way out, when what the inference server printed shows that no other start can help', async () => {
    bench.script(
      'inference',
      `echo start >> ${bench.root}/starts; echo "ValueError: LoRA rank 64 is greater than max_lora_rank 16." >&2; exit 1`,
    );
    const wiring = await bench.open();
    const run = await runUntil(wiring, await submit(wiring, { method: 'grpo' }), atRest);
    expect(run).toMatchObject({ status: 'failed', reason: 'invalid_spec' });
    expect(run.message).toMatch(
      /could not start: with exit code 1\. It printed: ValueError: LoRA rank 64.*Set model\.lora\.r to 512 or less/,
    );
    expect(bench.read('starts')).toBe('start\n');
  });

  it('pauses: TERM at the deadline, and resumed as a new attempt', async () => {
    bench.script(
      'trainer',
      `${trainerPrelude}
       trap 'exit 0' TERM
       if [ -f ${bench.root}/second ]; then record "$finished"; exit 0; fi
       touch ${bench.root}/second
       while :; do sleep 0.02; done`,
    );
    const wiring = await bench.open({ environment: { TANDEM_STOP_DEADLINE: '1' } });
    const id = await submit(wiring);
    await runUntil(wiring, id, (run) => run.attempts[0]?.roles[0]?.pid != null);
    expect(wiring.service.pause(id)).toMatchObject({ status: 'stopping', reason: 'pause_requested' });
    const paused = await runUntil(wiring, id, atRest);
    expect(paused).toMatchObject({ status: 'paused', reason: 'paused', ended_at: null });
    await wiring.service.resume(id, { from: 'latest', overrides: {}, fork: false }, () => undefined);
    const run = await runUntil(wiring, id, atRest);
    expect(run).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }, { number: 2 }] });
  });

  it('kills a trainer that ignores TERM, and says that it did', async () => {
    bench.script('trainer', "trap '' TERM; while :; do sleep 0.02; done");
    const wiring = await bench.open({ environment: { TANDEM_STOP_DEADLINE: '1' } });
    const id = await submit(wiring);
    await runUntil(wiring, id, (run) => run.attempts[0]?.roles[0]?.pid != null);
    wiring.service.cancel(id);
    const run = await runUntil(wiring, id, atRest);
    expect(run).toMatchObject({ status: 'cancelled', attempts: [{ reason: 'stop_timeout' }] });
    expect(messages(wiring)).toContain(
      'SIGKILL sent to the trainer: asked to cancel, deadline passed; still there after TERM',
    );
  });

  it('runs as many at a time as there are slots, and says why the others wait', async () => {
    bench.script('trainer', 'sleep 60');
    const wiring = await bench.open();
    const first = await submit(wiring);
    const second = await submit(wiring, { training: { output_dir: 'outputs/second' } });
    await runUntil(wiring, first, (run) => run.attempts[0]?.roles[0]?.pid != null);
    expect(wiring.service.get(second)).toMatchObject({
      status: 'queued',
      reason: 'waiting_for_slot',
      waiting: { position: 1, why: `needs 1 slot, 0 of 1 free; behind ${first}` },
    });
    expect(readdirSync(join(bench.root, '.tandem/work'))).toEqual([first]);
  });
});
