import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gpuInventorySchema } from '../../contracts/gpu.ts';
import { type QueueView, queueSchema } from '../../contracts/queue.ts';
import { createFileSource } from '../gpus/file-source.ts';
import { type GpuSource, GpuSourceError } from '../gpus/gpu-source.ts';
import { createTestBench, reconcileUntil, type TestBench } from '../testing.ts';

let bench: TestBench;
beforeEach(async () => {
  bench = await createTestBench();
  bench.script('trainer', 'sleep 60');
  const gpu = (i: number) => `  - {uuid: GPU-${i}, memory_mib: 81559, numa_node: ${i % 2}}`;
  writeFileSync(join(bench.root, 'gpus.yaml'), `gpus:\n${[0, 1, 2, 3].map(gpu).join('\n')}\n`);
});
afterEach(() => bench.remove());

const open = (
  environment: Record<string, string> = {},
  gpuSource: GpuSource = createFileSource(join(bench.root, 'gpus.yaml')),
) => bench.open({ environment, gpuSource });
type Opened = Awaited<ReturnType<typeof open>>;
const specOf = (name: string, change: Record<string, unknown>) =>
  bench.spec({ name, training: { output_dir: `outputs/${name}` }, ...change });
const submit = async ({ service }: Opened, name: string, change: Record<string, unknown> = {}) =>
  (await service.submit(specOf(name, change), () => undefined)).body.id;
const started = (wiring: Opened, id: string) =>
  reconcileUntil(wiring, () => wiring.service.get(id).attempts[0]?.roles[0]?.pid != null);

async function get(wiring: Opened, path: string): Promise<unknown> {
  const server = wiring.publicApp.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  try {
    return await (await fetch(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}${path}`)).json();
  } finally {
    server.close();
  }
}
const queueOf = async (wiring: Opened): Promise<QueueView> => queueSchema.parse(await get(wiring, '/queue'));

describe('GET /queue', () => {
  it('shows a run whose model is being fetched beside the lines: it gets no GPU, and none is kept for it', async () => {
    const wiring = await open({ CUDA_VISIBLE_DEVICES: '0,1' });
    const whole = { gpu_profile: 'split-2', method: 'grpo' };
    const fetching = await submit(wiring, 'fetching', { ...whole, priority: 90 });
    wiring.db.run('UPDATE runs SET model_due = 1, model_directory = :absent, model_origin = :origin', {
      absent: join(bench.root, 'absent'),
      origin: JSON.stringify({ kind: 'hub', repo: 'acme/large', revision: 'main', commit: '1'.repeat(40) }),
    });
    const later = await submit(wiring, 'later', whole);
    await reconcileUntil(wiring, () => wiring.service.get(later).status === 'starting');
    const queue = await queueOf(wiring);
    expect(queue.reservation).toBeNull();
    expect(queue.waiting).toMatchObject([{ run: fetching, on: 'gpus', position: 1, cause: 'model' }]);
    expect(queue.waiting[0]?.why).toContain('waits for its model, acme/large at 1111111, to be fetched');
    wiring.db.run('UPDATE runs SET model_due = 0');
    expect((await queueOf(wiring)).waiting).toMatchObject([{ run: fetching, cause: 'gpus' }]);
  });

  it('tells the line of the GPUs and that of the CPU, with the numbers of each decision, the reservation and the quotas', async () => {
    const wiring = await open({ CUDA_VISIBLE_DEVICES: '0,1,2', TANDEM_QUOTAS: 'team=a:1' });
    const one = await submit(wiring, 'one', {
      gpu_profile: 'split-2',
      method: 'sft',
      expected_minutes: 60,
      labels: { team: 'a' },
    });
    await started(wiring, one);
    const both = { gpu_profile: 'split-2', method: 'grpo' };
    const cpu = await submit(wiring, 'cpu');
    await started(wiring, cpu);
    const next = await submit(wiring, 'next');
    const theirs = await submit(wiring, 'theirs', { gpu_profile: 'split-2', labels: { team: 'a' } });
    // Holds the two others of three until it is stopped, and tells no end.
    const pair = await submit(wiring, 'pair', both);
    await reconcileUntil(wiring, () => wiring.service.get(pair).status === 'starting');
    const head = await submit(wiring, 'head', both);
    const queue = await queueOf(wiring);
    expect(queue.waiting).toMatchObject([
      {
        ...{ run: theirs, on: 'gpus', position: 1, needs: 1, free: 0, cause: 'quota', behind: null },
        why: 'needs 1; team=a may hold 1 at a time and holds 1',
      },
      {
        ...{ run: head, name: 'head', on: 'gpus', position: 2, needs: 2, free: 0, cause: 'gpus', profile: 'split-2' },
        why: 'needs 2, free 0; first in line, when is not known: a run that holds GPUs tells no end',
      },
      { run: next, on: 'cpu', position: 1, needs: 0, cause: 'slot', why: `needs 1 slot, 0 of 1 free; behind ${cpu}` },
    ]);
    expect(queue).toMatchObject({
      reservation: { run: head, at: null, gpus: [] },
      gpus: { total: 4, usable: 3, free: 0, quarantined: 0, read_at: expect.any(String) },
      slots: { total: 1, used: 1 },
      quotas: [{ label: 'team', value: 'a', gpus: 1, held: 1 }],
    });
    expect(
      queue.holding.map(({ run, gpus, preemptible, stopping }) => [run, gpus.length, preemptible, stopping]),
    ).toEqual([
      [one, 1, true, false],
      [pair, 2, true, false],
    ]);
    expect(wiring.service.get(head)).toMatchObject({
      reason: 'waiting_for_gpus',
      waiting: { position: 2, why: queue.waiting[1]!.why },
    });
    expect(wiring.service.get(next)).toMatchObject({ reason: 'waiting_for_slot' });
  });

  it('has nothing to tell of a host without GPUs but slots', async () => {
    const wiring = await bench.open();
    expect(await queueOf(wiring)).toMatchObject({
      waiting: [],
      reservation: null,
      holding: [],
      gpus: { total: 0, usable: 0 },
    });
  });

  it('says that a run waits for the GPUs to be read, and what stands in the way', async () => {
    const wiring = await open();
    const id = await submit(wiring, 'one', { gpu_profile: 'shared-1' });
    await wiring.close();
    const read = async () => {
      throw new GpuSourceError('nvidia-smi took longer than 30 s; see dmesg.');
    };
    const blind = await open({}, { kind: 'nvidia', read });
    await blind.reconciler.round();
    await get(blind, '/gpus');
    expect((await queueOf(blind)).waiting).toMatchObject([
      {
        run: id,
        cause: 'reading',
        why: 'waits until the GPUs can be read: nvidia-smi took longer than 30 s; see dmesg.',
      },
    ]);
    const refused = blind.service.submit(specOf('two', { gpu_profile: 'shared-1' }), () => undefined);
    await expect(refused).rejects.toThrow('shared-1 needs GPUs, which could not be read yet: nvidia-smi took longer');
  });
});

describe('GET /gpus', () => {
  it('says whose each GPU is, and which of them runs could have', async () => {
    const wiring = await open({ CUDA_VISIBLE_DEVICES: 'GPU-1,2' });
    const id = await submit(wiring, 'one', { gpu_profile: 'shared-1' });
    await started(wiring, id);
    const { gpus, used_by_runs } = gpuInventorySchema.parse(await get(wiring, '/gpus'));
    expect(used_by_runs).toBe(true);
    expect(gpus.map(({ usable, lease }) => [usable, lease?.run ?? null])).toEqual([
      [false, null],
      [true, id],
      [true, null],
      [false, null],
    ]);
    expect(gpus[1]?.lease).toMatchObject({ attempt: 1, role: 'trainer', state: 'held', why: null, processes: [] });
  });
});

describe('a submission', () => {
  it('is refused what CUDA_VISIBLE_DEVICES does not leave, with the arithmetic', async () => {
    const wiring = await open({ CUDA_VISIBLE_DEVICES: '3' });
    const refused = wiring.service.submit(specOf('one', { method: 'grpo', gpu_profile: 'split-2' }), () => undefined);
    await expect(refused).rejects.toThrow(
      'split-2 needs 2 GPUs (1 for inference, 1 for the trainer), CUDA_VISIBLE_DEVICES of the control plane leaves 1; here fit shared-1',
    );
  });

  it('is told in a dry run which GPUs each role would get', async () => {
    const wiring = await open();
    const { placement } = await wiring.service.dryRun(specOf('one', { method: 'grpo', gpu_profile: 'split-2' }));
    expect(placement.roles.map(({ role, gpus }) => [role, gpus])).toEqual([
      // The two of one NUMA node.
      ['inference', ['GPU-0']],
      ['trainer', ['GPU-2']],
    ]);
  });
});

it('a run takes no slot of the CPU while it is on GPUs', async () => {
  const wiring = await open();
  const onGpu = await submit(wiring, 'gpu', { gpu_profile: 'shared-1' });
  await started(wiring, onGpu);
  const onCpu = await submit(wiring, 'cpu');
  await started(wiring, onCpu);
  expect(wiring.service.get(onGpu).status).toBe('starting');
});
