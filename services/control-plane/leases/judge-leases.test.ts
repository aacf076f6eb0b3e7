import { describe, expect, it } from 'vitest';
import type { Gpu } from '../../contracts/gpu.ts';
import { openDatabase } from '../../platform/database.ts';
import { readGpuFile } from '../gpus/file-source.ts';
import { randomNumbers } from '../placement/gpu-map.fixtures.ts';
import { migrations } from '../schema.ts';
import { createGoneWatch } from './gone.ts';
import { judgeLeases, type LeaseFacts, SETTLE_MS } from './judge-leases.ts';
import { createLeaseStore, type LeaseOwner, type LeaseRow } from './lease.store.ts';
import { COOL_DOWN_MS } from './suspicion.ts';

/** GPUs as a file describes them, with what is read of their memory. */
function gpusWith(change: Partial<Gpu> = {}, count = 1): Gpu[] {
  const text = `gpus: [${Array.from({ length: count }, (_, i) => `{uuid: GPU-${i}, memory_mib: 81559}`).join(', ')}]`;
  return readGpuFile(text, 'test.yaml').gpus.map((gpu) => ({ ...gpu, ...change }));
}
const lease = (change: Partial<LeaseRow> = {}): LeaseRow => ({
  ...{
    gpu: 'GPU-0',
    run: 'run',
    attempt: 1,
    role: 'trainer',
    place: 0,
    epoch: 7,
    granted_at: 0,
    state: 'held',
    note: null,
    suspicion: null,
  },
  ...change,
});
const judge = (change: Partial<LeaseFacts> = {}) =>
  judgeLeases({
    ...{ leases: [lease()], goneSince: () => 1000, reading: { begunAt: 1000, gpus: gpusWith() }, now: 1000 },
    ...change,
  });
const owner = { run: 'run', attempt: 1, epoch: 7 };
const foreign = { pid: 4711, name: '/usr/bin/python3', memory_mib: 512, container: null };
const dirty = gpusWith({ foreign_processes: [foreign], memory_used_mib: 516 });
const marks = (change: Partial<LeaseFacts>) =>
  judge(change).changes.flatMap((each) => (each.change === 'mark' ? [each.note] : []));

describe('a lease', () => {
  it('is released once its programs are gone and a reading that began after that says that the GPU is clean', () => {
    expect(judge()).toEqual({
      changes: [{ change: 'release', owner, gpus: [{ gpu: 'GPU-0', index: 0 }] }],
      waitsForReading: false,
    });
  });

  it('is kept while a program may be there, or the reading is older than its end', () => {
    expect(judge({ goneSince: () => null })).toEqual({ changes: [], waitsForReading: false });
    expect(judge({ reading: null })).toEqual({ changes: [], waitsForReading: true });
    expect(judge({ reading: { begunAt: 999, gpus: gpusWith() } })).toEqual({ changes: [], waitsForReading: true });
  });

  it('of a GPU that is not clean is looked at again for a while, then it is quarantined with what is on it', () => {
    const reading = { begunAt: 1000, gpus: dirty };
    expect(judge({ reading, now: 1000 + SETTLE_MS - 1 })).toEqual({ changes: [], waitsForReading: true });
    const note = 'process 4711 (/usr/bin/python3, 512 MiB) is on it; 516 MiB in use';
    expect(judge({ reading, now: 1000 + SETTLE_MS })).toEqual({
      changes: [{ change: 'mark', owner, gpu: 'GPU-0', index: 0, state: 'quarantined', note }],
      waitsForReading: false,
    });
    const quarantined = [lease({ state: 'quarantined', note })];
    expect(judge({ leases: quarantined, reading, now: 99_000 }).changes).toEqual([]);
    expect(judge({ leases: quarantined, now: 99_000 }).changes).toMatchObject([{ change: 'release' }]);
  });

  it('is not given back for memory that nobody visible holds, memory that cannot be read, or a GPU that is not listed', () => {
    const read = (gpus: Gpu[]) => marks({ reading: { begunAt: 1000, gpus }, now: 99_000 })[0];
    expect(read(gpusWith({ memory_used_mib: 255 }))).toBeUndefined();
    expect(read(gpusWith({ memory_used_mib: 256 }))).toBe('256 MiB in use by a program that cannot be seen from here');
    expect(read(gpusWith({ memory_used_mib: null }))).toBe('its memory cannot be read');
    expect(read(gpusWith({ memory_used_mib: null, memory_total_mib: null }))).toBeUndefined();
    expect(read([])).toMatch(/^it is no longer listed/);
  });

  describe('of a GPU that a program called broken', () => {
    const uuids = [0, 1].map((i) => `GPU-0000000${i}-0000-4000-8000-000000000000`);
    const line = 'RuntimeError: CUDA error: uncorrectable ECC error encountered';
    const pair = gpusWith({}, 2).map((gpu, i) => ({ ...gpu, uuid: uuids[i]!, pci_bus_id: `00000000:1${i}:00.0` }));
    const suspects = (suspicion: string) => uuids.map((gpu, place) => lease({ gpu, place, suspicion }));
    const judgeBoth = (suspicion: string, change: Partial<LeaseFacts> = {}) =>
      judge({ leases: suspects(suspicion), reading: { begunAt: 1000, gpus: pair }, ...change }).changes.flatMap(
        (each) =>
          each.change === 'mark' ? [`${each.index} ${each.state}`] : each.gpus.map(({ index }) => `${index} released`),
      );

    it('is quarantined at once, although it is clean, until it has cooled down', () => {
      const now = (ms: number) => ({ now: 1000 + ms });
      expect(judgeBoth(line)).toEqual(['0 quarantined', '1 quarantined']);
      const cooling = { leases: suspects(line).map((each) => ({ ...each, state: 'quarantined' as const })) };
      const note = judge({ leases: suspects(line), reading: { begunAt: 1000, gpus: pair } }).changes[0];
      expect(note).toMatchObject({
        note: `a program on it printed "${line}"; it is given out again 10 minutes after that program's end if it is read to be healthy then, or by POST /gpus/${uuids[0]}/release`,
      });
      expect(judgeBoth(line, { ...cooling, ...now(COOL_DOWN_MS - 1) })).toEqual(['0 quarantined', '1 quarantined']);
      expect(judgeBoth(line, { ...cooling, ...now(COOL_DOWN_MS) })).toEqual(['0 released', '1 released']);
    });

    it('is kept beyond that while it is read to be unusable, or somebody is on it', () => {
      const health: Gpu['health'] = {
        verdict: 'unusable',
        findings: [{ verdict: 'unusable', why: 'Lost.', remedy: 'Reboot.' }],
      };
      const late = { now: 1000 + COOL_DOWN_MS };
      const of = (change: Partial<Gpu>) => ({ begunAt: 1000, gpus: pair.map((gpu) => ({ ...gpu, ...change })) });
      expect(judgeBoth(line, { ...late, reading: of({ health }) })).toEqual(['0 quarantined', '1 quarantined']);
      expect(judgeBoth(line, { ...late, reading: of({ foreign_processes: [foreign] }) })).toEqual([
        ...['0 quarantined', '1 quarantined'],
      ]);
    });

    it.each([
      ['its UUID', `GPU ${uuids[1]} has fallen off the bus`],
      ['its PCI address', 'NVRM: Xid (PCI:0000:11:00): 79, GPU has fallen off the bus.'],
    ])('is no other than the one that is named by %s', (_, named) => {
      expect(judgeBoth(named)).toEqual(['0 released', '1 quarantined']);
    });
  });

  it('of a GPU in use notes its trouble once, and that it is over', () => {
    const health: Gpu['health'] = {
      verdict: 'unusable',
      findings: [{ verdict: 'unusable', why: 'Lost.', remedy: 'Reboot.' }],
    };
    const held = { goneSince: () => null, reading: { begunAt: 0, gpus: gpusWith({ health }) } };
    expect(marks(held)).toEqual(['Lost. Reboot.']);
    expect(marks({ ...held, leases: [lease({ note: 'Lost. Reboot.' })] })).toEqual([]);
    expect(marks({ goneSince: () => null, leases: [lease({ note: 'Lost. Reboot.' })] })).toEqual([null]);
    expect(marks({ ...held, reading: { begunAt: 0, gpus: [] } })).toEqual(['it is no longer listed']);
    expect(marks({ ...held, reading: { begunAt: 0, gpus: dirty } })).toEqual([]);
  });
});

it('whatever ends when, and however often the control plane dies, no GPU is given out while somebody is on it, and none is lost', () => {
  let released = 0;
  let quarantined = 0;
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = randomNumbers(seed);
    const below = (count: number) => Math.floor(random() * count);
    const db = openDatabase({ path: ':memory:', migrations });
    const leases = createLeaseStore({ db });
    /** Programs there are: seen ones, and ones on a GPU that are in nobody's list. */
    const programs = new Map<string, Set<string>>();
    const strays = new Set<string>();
    let gone = createGoneWatch();
    let reading: LeaseFacts['reading'] = null;
    const keyOf = ({ run, attempt }: Pick<LeaseOwner, 'run' | 'attempt'>) => `${run}.a${attempt}`;
    const onGpu = (uuid: string) => strays.has(uuid) || [...programs.values()].some((set) => set.has(uuid));
    let attempt = 0;
    let now = 0;
    const read = () => {
      const gpus = gpusWith({}, 4).map((gpu) =>
        onGpu(gpu.uuid) ? { ...gpu, foreign_processes: [foreign], memory_used_mib: 512 } : gpu,
      );
      // It may have begun before something ends that it still shows, or no longer does.
      reading = { begunAt: now, gpus };
    };
    const settle = () => {
      gone.round(leases.all(), (each) => !programs.has(keyOf(each)), now);
      for (const change of judgeLeases({ leases: leases.all(), goneSince: gone.since, reading, now }).changes) {
        if (change.change === 'mark') {
          leases.mark(change.owner, change.gpu, change.state, change.note);
          if (change.state === 'quarantined') quarantined += 1;
          continue;
        }
        for (const { gpu } of change.gpus) expect(onGpu(gpu), `seed ${seed}: ${gpu} at ${now}`).toBe(false);
        released += leases.release(
          change.owner,
          change.gpus.map(({ gpu }) => gpu),
        ).length;
      }
    };
    const acts = [
      () => {
        const taken = new Set(leases.all().map(({ gpu }) => gpu));
        const free = ['GPU-0', 'GPU-1', 'GPU-2', 'GPU-3'].filter((gpu) => !taken.has(gpu));
        const trainer = free.slice(0, 1 + below(free.length));
        if (trainer.length === 0) return;
        for (const gpu of trainer) expect(onGpu(gpu), `seed ${seed}: ${gpu} given out at ${now}`).toBe(false);
        attempt += 1;
        leases.grant({ run: 'run', attempt, granted_at: now }, { inference: [], trainer });
        programs.set(keyOf({ run: 'run', attempt }), new Set(trainer));
      },
      () => {
        // It ends, and may leave something on one of its GPUs.
        const [key, gpus] = [...programs][below(programs.size)] ?? [];
        if (key === undefined || gpus === undefined) return;
        programs.delete(key);
        if (below(3) === 0) strays.add([...gpus][0]!);
      },
      () => {
        const [stray] = strays;
        if (stray !== undefined) strays.delete(stray);
      },
      read,
      () => {
        gone = createGoneWatch();
        if (below(2) === 0) reading = null;
      },
      settle,
    ];
    for (let i = 0; i < 60; i += 1) {
      now += 1 + below(8000);
      acts[below(acts.length)]!();
    }
    programs.clear();
    strays.clear();
    for (let i = 0; i < 3; i += 1) {
      now += 1000;
      settle();
      now += 1000;
      read();
    }
    settle();
    expect(leases.all(), `seed ${seed}`).toEqual([]);
    db.close();
  }
  expect(released).toBeGreaterThan(300);
  expect(quarantined).toBeGreaterThan(10);
});
