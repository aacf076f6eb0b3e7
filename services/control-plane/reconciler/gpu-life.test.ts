import { existsSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { GpuInventory } from '../../contracts/gpu.ts';
import type { Database } from '../../platform/database.ts';
import { createFileSource } from '../gpus/file-source.ts';
import { type RoleSpec, type Runtime, roleName } from '../runtimes/runtime.ts';
import { createTestBench, reconcileUntil, serveHealth, type TestBench, trainerPrelude } from '../testing.ts';

const MINUTE = 60_000;
let bench: TestBench;
/** Added to the time of day and to the steady clock alike. */
let ahead: number;
let started: RoleSpec[];
beforeEach(async () => {
  bench = await createTestBench();
  ahead = 0;
  started = [];
  describeGpus(8);
});
afterEach(() => bench.remove());

/** Writes the host's file: so many GPUs, all over NVLink, and what runs on which. */
function describeGpus(
  count: number,
  processes: Record<number, { pid: number; memory_mib: number }> = {},
  gone: number[] = [],
): void {
  const gpus = Array.from({ length: count }, (_, i) => {
    const foreign = processes[i] === undefined ? '' : `, foreign_processes: [${JSON.stringify(processes[i])}]`;
    const health = gone.includes(i) ? ', health: {verdict: unusable, why: It burns.}' : '';
    return `  - {uuid: GPU-${i}, memory_mib: 81559, numa_node: ${i < count / 2 ? 0 : 1}${foreign}${health}}`;
  });
  const links = `links: [{gpus: [${gpus.map((_, i) => i).join(', ')}], kind: NV18}]`;
  writeFileSync(join(bench.root, 'gpus.yaml'), `gpus:\n${gpus.join('\n')}\n${count > 1 ? links : ''}\n`);
}

const open = (environment: Record<string, string> = {}, wrapDatabase?: (db: Database) => Database) =>
  bench.open({
    ...(wrapDatabase && { wrapDatabase }),
    environment,
    gpuSource: createFileSource(join(bench.root, 'gpus.yaml')),
    now: () => Date.now() + ahead,
    wrapRuntime: (runtime: Runtime): Runtime => ({
      ...runtime,
      start: (spec, starting) => {
        started.push(spec);
        return runtime.start(spec, starting);
      },
    }),
  });
type Opened = Awaited<ReturnType<typeof open>>;

async function call({ publicApp }: Opened, method: string, path: string): Promise<{ status: number; body: unknown }> {
  const server = publicApp.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return { status: answer.status, body: answer.status === 204 ? null : await answer.json() };
  } finally {
    server.close();
  }
}

/** With sft, which has no server, a profile means the GPUs of its trainer. */
const submit = async ({ service }: Opened, name: string, change: Record<string, unknown>) => {
  const spec = bench.spec({
    name,
    training: { output_dir: `outputs/${name}` },
    recovery: { backoff_seconds: 0 },
    ...change,
  });
  return (await service.submit(spec, () => undefined)).body.id;
};
const leased = ({ db }: Opened) =>
  db
    .all<{ gpu: string; run: string; role: string; state: string }>(
      'SELECT gpu, run, role, state FROM leases ORDER BY gpu',
    )
    .map(({ gpu, run, role, state }) => `${gpu} ${run} ${role} ${state}`);
const eventsOf = ({ db }: Opened, run: string) =>
  db.all<{ name: string; message: string }>('SELECT name, message FROM events WHERE run = :run ORDER BY id', { run });
const named = (wiring: Opened, run: string, name: string) =>
  eventsOf(wiring, run).flatMap((event) => (event.name === name ? [event.message] : []));

it('leases the GPUs of a run with its attempt, shows each role its own, and gives them back when its programs are gone', async () => {
  bench.script(
    'trainer',
    `${trainerPrelude} echo "sees $CUDA_VISIBLE_DEVICES"; while [ ! -f ${bench.root}/go ]; do sleep 0.02; done; record "$finished"`,
  );
  const wiring = await open();
  const id = await submit(wiring, 'one', { gpu_profile: 'split-2' });
  await reconcileUntil(wiring, () => wiring.service.get(id).attempts[0]?.roles[0]?.pid != null);
  expect(leased(wiring)).toEqual([`GPU-0 ${id} trainer held`]);
  expect(started[0]).toMatchObject({ identity: { role: 'trainer' }, gpus: ['GPU-0'], epoch: expect.any(Number) });
  expect(named(wiring, id, 'gpus_leased')).toEqual([
    'GPUs leased: trainer on 0; leaves 7 free (NVLink cliques of 7, NUMA nodes of 4 + 3); best of 2',
  ]);
  writeFileSync(join(bench.root, 'go'), '');
  const printed = `.tandem/output/${id}/${id}.a1.trainer.log`;
  await reconcileUntil(wiring, () => leased(wiring).length === 0 && existsSync(join(bench.root, printed)));
  expect(wiring.service.get(id).status).toBe('succeeded');
  expect(bench.read(printed)).toBe('sees GPU-0\n');
  expect(named(wiring, id, 'gpus_released')).toEqual(['The GPUs 0 are clean and free again']);
});

it('keeps a GPU with a program on it from everybody, says which, and gives it out once it is clean', async () => {
  bench.script('trainer', `${trainerPrelude} record "$finished"`);
  describeGpus(1);
  const wiring = await open();
  const first = await submit(wiring, 'first', { gpu_profile: 'shared-1' });
  await reconcileUntil(wiring, () => leased(wiring).length === 1);
  describeGpus(1, { 0: { pid: 4711, memory_mib: 512 } });
  await reconcileUntil(wiring, () => wiring.service.get(first).status === 'succeeded');
  for (let i = 0; i < 20; i += 1) await wiring.reconciler.round();
  expect(leased(wiring)).toEqual([`GPU-0 ${first} trainer held`]);
  const second = await submit(wiring, 'second', { gpu_profile: 'shared-1' });
  ahead += 11_000;
  await reconcileUntil(wiring, () => named(wiring, first, 'gpu_quarantined').length === 1);
  expect(leased(wiring)).toEqual([`GPU-0 ${first} trainer quarantined`]);
  expect(named(wiring, first, 'gpu_quarantined')).toEqual([
    'GPU 0 (GPU-0) is not in order and given to nobody until it is: process 4711 (512 MiB) is on it; 512 MiB in use',
  ]);
  expect(wiring.service.get(second)).toMatchObject({
    reason: 'waiting_for_gpus',
    waiting: { position: 1, why: 'needs 1, 0 usable, 1 quarantined; waits for GPUs to come back' },
  });
  describeGpus(1);
  ahead += 6000;
  await reconcileUntil(wiring, () => wiring.service.get(second).status === 'succeeded');
  expect(named(wiring, first, 'gpus_released')).toHaveLength(1);
});

it('gives a GPU to nobody for a while on which a program ended with words of its being broken, unless somebody knows better', async () => {
  const line = 'RuntimeError: CUDA error: uncorrectable ECC error encountered';
  bench.script(
    'trainer',
    `${trainerPrelude} [ -f ${bench.root}/mended ] || { echo '${line}' >&2; exit 1; }; record "$finished"`,
  );
  describeGpus(1);
  const wiring = await open();
  const id = await submit(wiring, 'one', {
    gpu_profile: 'shared-1',
    recovery: { max_restarts: 1, backoff_seconds: 0 },
  });
  await reconcileUntil(wiring, () => named(wiring, id, 'gpu_quarantined').length === 1);
  expect(named(wiring, id, 'gpu_quarantined')[0]).toContain(`a program on it printed "${line}"`);
  const why = () => wiring.service.get(id).waiting?.why;
  await reconcileUntil(wiring, () => why() === 'needs 1, 0 usable, 1 quarantined; waits for GPUs to come back');
  writeFileSync(join(bench.root, 'mended'), '');
  ahead += 9 * MINUTE;
  for (let i = 0; i < 20; i += 1) await wiring.reconciler.round();
  expect(leased(wiring)).toEqual([`GPU-0 ${id} trainer quarantined`]);
  const listed = (await call(wiring, 'GET', '/gpus')).body as GpuInventory;
  expect(listed.gpus[0]).toMatchObject({
    usable: false,
    lease: { run: id, state: 'quarantined', why: expect.stringContaining('/gpus/GPU-0/release') },
  });
  expect(await call(wiring, 'POST', '/gpus/GPU-9/release')).toMatchObject({ status: 404 });
  expect(await call(wiring, 'POST', '/gpus/GPU-0/release')).toMatchObject({ status: 204 });
  expect(await call(wiring, 'POST', '/gpus/GPU-0/release')).toMatchObject({ status: 409 });
  await reconcileUntil(wiring, () => wiring.service.get(id).status === 'succeeded');
});

it('doubts the GPU of the server that called it broken, and not that of its trainer', async () => {
  bench.script(
    'inference',
    "echo 'torch.AcceleratorError: CUDA error: uncorrectable ECC error encountered' >&2; exit 1",
  );
  describeGpus(2);
  const wiring = await open();
  const recovery = { max_restarts: 0, backoff_seconds: 0 };
  const id = await submit(wiring, 'one', { method: 'grpo', gpu_profile: 'split-2', recovery });
  await reconcileUntil(wiring, () => {
    ahead += 20_000;
    return wiring.service.get(id).status === 'failed';
  });
  await reconcileUntil(wiring, () => leased(wiring).length < 2);
  expect(wiring.service.get(id).reason).toBe('gpu_unavailable');
  expect(leased(wiring)).toEqual([expect.stringMatching(/ inference quarantined$/)]);
});

it('tells a run that one of its GPUs has become unusable, and gives it to nobody', async () => {
  bench.script('trainer', 'sleep 60');
  describeGpus(1);
  const wiring = await open();
  const id = await submit(wiring, 'one', { gpu_profile: 'shared-1' });
  await reconcileUntil(wiring, () => leased(wiring).length === 1);
  describeGpus(1, {}, [0]);
  await wiring.reconciler.round();
  await readGpus(wiring);
  await reconcileUntil(wiring, () => named(wiring, id, 'gpu_trouble').length === 1);
  expect(named(wiring, id, 'gpu_trouble')[0]).toMatch(/^GPU 0 \(GPU-0\), which the run holds: It burns\./);
});

it('grants nothing at all of what a run needs when one of its GPUs is leased meanwhile, and tries again', async () => {
  bench.script('trainer', 'sleep 60');
  let conflict = true;
  const wiring = await open({}, (db) => ({
    ...db,
    run: (sql, params) => {
      // Somebody else is quicker, between the decision and the grant.
      if (conflict && sql.startsWith('UPDATE lease_epoch')) {
        db.run("INSERT INTO leases VALUES ('GPU-0', 'run-00000009', 1, 'trainer', 0, 1, 0, 'held', NULL)");
      }
      return db.run(sql, params);
    },
  }));
  const id = await submit(wiring, 'one', { gpu_profile: 'split-2' });
  for (let i = 0; i < 5; i += 1) await round(wiring);
  expect(wiring.service.get(id)).toMatchObject({ status: 'queued', attempts: [] });
  expect(eventsOf(wiring, id).map(({ name }) => name)).toEqual(['status_changed']);
  expect(leased(wiring)).toEqual([]);
  conflict = false;
  await reconcileUntil(wiring, () => wiring.service.get(id).attempts.length === 1);
});

it('three runs compete for eight GPUs: one preempts another, one passes it without delaying it, and all finish', async () => {
  const health = await serveHealth();
  bench.script(
    'inference',
    `while [ "$1" != --ready-file ]; do shift; done
     printf '{"url":"${health.url}","pid":%s}' $$ > "$2.tmp"; mv "$2.tmp" "$2"
     exec sleep 60`,
  );
  bench.script(
    'trainer',
    `${trainerPrelude} trap 'exit 0' TERM
     while [ ! -f ${bench.root}/done-\${TANDEM_ATTEMPT_ID%.*} ]; do sleep 0.02; done; record "$finished"`,
  );
  const wiring = await open();
  const enter = async (name: string, profile: string, change: Record<string, unknown>) => {
    const id = await submit(wiring, name, { method: profile === 'one' ? 'sft' : 'grpo', ...change });
    // These programs would be refused so many GPUs; the queue and the leases do not ask which they are.
    wiring.db.run('UPDATE runs SET profile = :profile WHERE id = :id', {
      id,
      profile: profile === 'one' ? 'split-2' : profile,
    });
    return id;
  };
  const trains = (id: string) => async () => {
    const attempt = wiring.service.get(id).attempts.at(-1);
    if (!attempt?.roles.some(({ role, pid }) => role === 'trainer' && pid !== null)) return false;
    wiring.records.touch(id, attempt.number);
    return wiring.service.get(id).status === 'running';
  };
  const finish = async (id: string) => {
    writeFileSync(join(bench.root, `done-${id}`), '');
    await reconcileUntil(
      wiring,
      () => wiring.service.get(id).status === 'succeeded' && !leased(wiring).some((row) => row.includes(id)),
    );
  };
  const indicesOf = (id: string) =>
    leased(wiring)
      .filter((row) => row.includes(id))
      .map((row) => row.slice(4, 5))
      .join('');

  const steady = await enter('steady', 'split-2', { priority: 90, expected_minutes: 60 });
  const humble = await enter('humble', 'split-4', { priority: 10, expected_minutes: 90 });
  await reconcileUntil(wiring, trains(steady));
  await reconcileUntil(wiring, trains(humble));
  expect([indicesOf(steady), indicesOf(humble)]).toEqual(['01', '4567']);

  ahead += 11 * MINUTE;
  const urgent = await enter('urgent', 'split-4', { priority: 80, expected_minutes: 30 });
  const quick = await enter('quick', 'one', { priority: 50, expected_minutes: 1 });
  await reconcileUntil(wiring, () => wiring.service.get(humble).status === 'stopping');
  expect(wiring.service.get(humble)).toMatchObject({
    reason: 'preempted',
    message: expect.stringContaining(`preempted by ${urgent}`),
  });
  await reconcileUntil(wiring, trains(quick));
  expect(named(wiring, quick, 'gpus_leased')).toEqual([
    `GPUs leased: trainer on 2; leaves 1 free; best of 1; past ${urgent}, which it does not delay`,
  ]);
  expect(wiring.service.get(urgent).waiting).toEqual({
    position: 1,
    why: 'needs 4, free 1; first in line, in about 2 min',
  });
  await finish(quick);

  const place = wiring.db.get('SELECT queued_at FROM runs WHERE id = :humble', { humble });
  ahead += 2 * MINUTE;
  await reconcileUntil(wiring, trains(urgent));
  expect(wiring.service.get(humble)).toMatchObject({
    status: 'queued',
    reason: 'preempted',
    ended_at: null,
    restarts: { after_failures: 0 },
    waiting: { position: 1, why: 'needs 4, free 2; first in line, in about 30 min' },
  });
  expect(wiring.db.get('SELECT queued_at FROM runs WHERE id = :humble', { humble })).toEqual(place);
  await finish(urgent);
  await reconcileUntil(wiring, trains(humble));
  await finish(humble);
  await finish(steady);
  health.close();

  expect(wiring.service.get(humble).attempts.map(({ reason }) => reason)).toEqual(['preempted', 'completed']);
  // What each role was told is what was leased for it, and no two held the same.
  for (const { identity, gpus, epoch } of started) {
    const { data } = wiring.db.get<{ data: string }>(
      "SELECT data FROM events WHERE run = :run AND attempt = :attempt AND name = 'gpus_leased'",
      { run: identity.run, attempt: identity.attempt },
    ) as { data: string };
    const lease = JSON.parse(data) as { epoch: number; trainer: string[]; inference: string[] };
    expect([epoch, gpus]).toEqual([lease.epoch, lease[identity.role]]);
  }
  // A start that is repeated is the same one.
  const starts = new Map(started.map((spec) => [roleName(spec.identity), spec]));
  const sizes = [...starts.values()].map(({ identity, gpus }) => `${identity.role} ${gpus.length}`);
  expect(sizes.sort()).toEqual([
    ...['inference 1', 'inference 2', 'inference 2', 'inference 2'],
    ...['trainer 1', 'trainer 1', 'trainer 2', 'trainer 2', 'trainer 2'],
  ]);
  expect(new Set(started.map(({ epoch }) => epoch)).size).toBe(5);
});

it.each([
  ['pause', 'paused'],
  ['cancel', 'cancelled'],
] as const)('a run that is asked for its GPUs can still be told to %s', async (verb, status) => {
  bench.script('trainer', `${trainerPrelude} trap 'exit 0' TERM; while :; do sleep 0.02; done`);
  describeGpus(1);
  const wiring = await open({ TANDEM_PREEMPT_AFTER: '0' });
  const humble = await submit(wiring, 'humble', { gpu_profile: 'shared-1', priority: 10, expected_minutes: 60 });
  await reconcileUntil(wiring, () => wiring.service.get(humble).attempts[0]?.roles[0]?.pid != null);
  const urgent = await submit(wiring, 'urgent', { gpu_profile: 'shared-1', priority: 90 });
  await reconcileUntil(wiring, () => wiring.service.get(humble).reason === 'preempted');
  const asked = wiring.db.get<{ ending_deadline: number }>('SELECT ending_deadline FROM attempts');
  expect(wiring.service[verb](humble)).toMatchObject({ status: 'stopping', reason: `${verb}_requested` });
  expect(asked?.ending_deadline).toBeGreaterThan(Date.now() + ahead);
  ahead += 2 * MINUTE;
  await reconcileUntil(wiring, () => wiring.service.get(urgent).attempts.length === 1);
  expect(wiring.service.get(humble)).toMatchObject({ status, attempts: [{ number: 1 }] });
});

it('a run whose server never serves gives its GPUs back at the deadline of its profile, and waits to be tried again', async () => {
  bench.script('inference', 'exec sleep 600');
  const wiring = await open({ TANDEM_START_TIMEOUT: '86400' });
  const recovery = { max_restarts: 1, backoff_seconds: 60 };
  const id = await submit(wiring, 'deaf', { method: 'grpo', gpu_profile: 'split-2', recovery });
  await reconcileUntil(wiring, () => wiring.service.get(id).attempts[0]?.roles[0]?.pid != null);
  expect(leased(wiring)).toEqual([`GPU-0 ${id} inference held`, `GPU-1 ${id} trainer held`]);
  ahead += 29 * MINUTE;
  for (let i = 0; i < 5; i += 1) await round(wiring);
  expect(wiring.service.get(id)).toMatchObject({ status: 'starting', reason: 'starting_inference' });
  ahead += 2 * MINUTE;
  await reconcileUntil(wiring, () => leased(wiring).length === 0);
  expect(wiring.service.get(id)).toMatchObject({
    status: 'queued',
    reason: 'waiting_to_restart',
    attempts: [{ reason: 'ready_timeout', roles: [{ role: 'inference' }] }],
    restarts: { after_failures: 1 },
  });
  const { restart_at: restartAt } = wiring.db.get<{ restart_at: number }>('SELECT restart_at FROM runs')!;
  expect(restartAt).toBeGreaterThan(Date.now() + ahead);
  for (let i = 0; i < 5; i += 1) await round(wiring);
  expect(wiring.service.get(id).attempts).toHaveLength(1);
  ahead = restartAt - Date.now();
  await reconcileUntil(wiring, () => wiring.service.get(id).attempts.length === 2);
  expect(leased(wiring)).toEqual([`GPU-0 ${id} inference held`, `GPU-1 ${id} trainer held`]);
});

it('spares a run that is not preemptible, and one of the same priority', async () => {
  bench.script('trainer', 'sleep 60');
  describeGpus(2);
  const wiring = await open({ TANDEM_PREEMPT_AFTER: '0' });
  const sure = await submit(wiring, 'sure', { gpu_profile: 'shared-1', priority: 10, preemptible: false });
  const equal = await submit(wiring, 'equal', { gpu_profile: 'shared-1', priority: 90 });
  await reconcileUntil(wiring, () => leased(wiring).length === 2);
  const urgent = await submit(wiring, 'urgent', { gpu_profile: 'shared-1', priority: 90 });
  for (let i = 0; i < 5; i += 1) await round(wiring);
  expect(wiring.service.get(urgent).waiting?.why).toMatch(/^needs 1, free 0; first in line, when is not known/);
  for (const id of [sure, equal]) expect(wiring.service.get(id).status).toBe('starting');
});

/** A round, and time for a reading that it has asked for. */
async function round(wiring: Opened): Promise<void> {
  await wiring.reconciler.round();
  await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Reads the inventory as GET /gpus?refresh=true does. */
async function readGpus(wiring: Opened): Promise<unknown> {
  const server = wiring.publicApp.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  try {
    return await (await fetch(`http://127.0.0.1:${port}/gpus?refresh=true`)).json();
  } finally {
    server.close();
  }
}
