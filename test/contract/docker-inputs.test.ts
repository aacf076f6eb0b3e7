import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDockerEngine } from '../../services/control-plane/runtimes/docker/engine/create-docker-engine.ts';
import { createInputs, type Inputs } from '../../services/control-plane/runtimes/docker/inputs.ts';
import { createNames } from '../../services/control-plane/runtimes/docker/naming.ts';
import { plainRole } from '../../services/control-plane/runtimes/runtime.contract.ts';
import { RoleRefusedError, type Starting } from '../../services/control-plane/runtimes/runtime.ts';
import { dockerCaller } from '../support/docker-call.ts';
import { openDockerRuntimes } from '../support/docker-runtime.ts';
import { type FakeDocker, startFakeDocker } from '../support/fake-docker/fake-docker.ts';

const COPY = /^PUT .*\/archive/;
const LONG_MS = 25 * 3_600_000;

let fake: FakeDocker;
let folder: string;
let model: string;
/** Added to the time of day. */
let ahead: number;
/** Whether what a checker finds in its volume is whole. */
let isWhole: boolean;
/** What holds copies up in the daemon. */
let openGates: (() => void)[];

beforeEach(async () => {
  ahead = 0;
  isWhole = true;
  openGates = [];
  fake = await startFakeDocker({ behaviours: () => ({ exitCode: isWhole ? 0 : 1 }) });
  folder = mkdtempSync(join(tmpdir(), 'tandem-inputs-'));
  model = join(folder, 'model');
  mkdirSync(model);
  writeFileSync(join(model, 'config.json'), '{}');
  writeFileSync(join(model, 'weights'), 'w'.repeat(10_000));
});
afterEach(async () => {
  for (const open of openGates) open();
  await fake.close();
  rmSync(folder, { recursive: true });
});

/** Those of a control plane of their own, which knows nothing of others. */
function openInputs(): Inputs {
  const engine = createDockerEngine({ socketPath: fake.socketPath });
  const now = () => Date.now() + ahead;
  return createInputs({ engine, names: createNames('inputs-test'), image: 'tandem', verify: ['true'], now });
}

function starting(): Starting & { abort(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort(new Error('the run was cancelled'));
  return { signal: controller.signal, tell: () => {}, abort };
}

/** Copies from now on stay in their middle until what is given is called. */
function holdCopiesUp(): () => void {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  fake.faults.push({ on: COPY, fault: { kind: 'act', when: 'before', act: () => gate } });
  openGates.push(open);
  return open;
}

const copies = () => fake.requests.filter((request) => COPY.test(request)).length;
const checks = () => fake.starts.length;
const left = () => ({ containers: fake.containers().map(({ name }) => name), volumes: fake.volumes() });
const nothing = { containers: [], volumes: [] };

async function copied(inputs: Inputs): Promise<string> {
  const held = await inputs.ensure([model], starting());
  held.release();
  return held.volumes.get(model) ?? expect.fail('no volume');
}

test('two starts that need the same model at once share one volume, copied once', async () => {
  const inputs = openInputs();
  const [first, second] = await Promise.all([
    inputs.ensure([model], starting()),
    inputs.ensure([model, model], starting()),
  ]);
  expect(second.volumes).toEqual(first.volumes);
  expect(left().volumes).toEqual([...first.volumes.values()]);
  expect([copies(), checks()]).toEqual([1, 1]);
});

test('a changed file makes another volume', async () => {
  const inputs = openInputs();
  const before = await copied(inputs);
  writeFileSync(join(model, 'config.json'), '{"changed":true}');
  expect(await copied(inputs)).not.toBe(before);
  expect(copies()).toBe(2);
});

test('a sweep leaves what somebody holds, however old it is, and takes it once it is released', async () => {
  const inputs = openInputs();
  const [first, second] = [await inputs.ensure([model], starting()), await inputs.ensure([model], starting())];
  ahead = LONG_MS;
  first.release();
  first.release();
  await inputs.sweep();
  expect(left().volumes).toEqual([...second.volumes.values()]);
  second.release();
  await inputs.sweep();
  expect(left()).toEqual(nothing);
});

test('a sweep leaves what was filled not long ago, and what a container has', async () => {
  const inputs = openInputs();
  const volume = await copied(inputs);
  await inputs.sweep();
  expect(left().volumes).toEqual([volume]);
  await useVolume(volume);
  ahead = LONG_MS;
  await inputs.sweep();
  expect(left().volumes).toEqual([volume]);
});

test('a sweep does not wait for a copy that is under way, and leaves it', async () => {
  const inputs = openInputs();
  const release = holdCopiesUp();
  const copy = inputs.ensure([model], starting());
  await expect.poll(copies, { interval: 5 }).toBe(1);
  await inputs.sweep();
  release();
  expect(left().volumes).toEqual([...(await copy).volumes.values()]);
});

test('an aborted copy leaves neither its container nor its volume', async () => {
  const inputs = openInputs();
  holdCopiesUp();
  const cancelled = starting();
  const copy = inputs.ensure([model], cancelled);
  await expect.poll(copies, { interval: 5 }).toBe(1);
  expect(left()).toMatchObject({ containers: [expect.any(String)], volumes: [expect.any(String)] });
  cancelled.abort();
  await expect(copy).rejects.toThrow('the run was cancelled');
  await expect.poll(left, { interval: 5 }).toEqual(nothing);
});

test('a wait behind the copy of another ends at once when its start is aborted, and the copy goes on', async () => {
  const inputs = openInputs();
  const release = holdCopiesUp();
  const copy = inputs.ensure([model], starting());
  await expect.poll(copies, { interval: 5 }).toBe(1);
  const cancelled = starting();
  const wait = inputs.ensure([model], cancelled);
  cancelled.abort();
  await expect(wait).rejects.toThrow('the run was cancelled');
  release();
  expect(left().volumes).toEqual([...(await copy).volumes.values()]);
  expect(copies()).toBe(1);
});

test('who waits behind a copy that is aborted copies anew', async () => {
  const inputs = openInputs();
  const release = holdCopiesUp();
  const cancelled = starting();
  const copy = inputs.ensure([model], cancelled);
  await expect.poll(copies, { interval: 5 }).toBe(1);
  const wait = inputs.ensure([model], starting());
  cancelled.abort();
  await expect(copy).rejects.toThrow('the run was cancelled');
  release();
  expect(left().volumes).toEqual([...(await wait).volumes.values()]);
  expect(copies()).toBe(2);
});

test.each([
  ['that nobody uses', false],
  ['that a container uses', true],
])('a volume %s whose checker somebody has removed is checked again, not copied', async (_which, isUsed) => {
  const volume = await copied(openInputs());
  if (isUsed) await useVolume(volume);
  await dockerCaller(fake.socketPath).call('DELETE', `/containers/${volume}`);
  expect(await copied(openInputs())).toBe(volume);
  expect([copies(), checks()]).toEqual([1, 2]);
});

test('a volume that fails when it is checked again is copied anew', async () => {
  const volume = await copied(openInputs());
  await dockerCaller(fake.socketPath).call('DELETE', `/containers/${volume}`);
  isWhole = false;
  fake.faults.push({ on: COPY, fault: { kind: 'act', when: 'before', act: () => (isWhole = true) } });
  expect(await copied(openInputs())).toBe(volume);
  expect([copies(), checks()]).toEqual([2, 3]);
});

test('a copy that its checker finds damaged is an error that says so, and nothing of it stays', async () => {
  isWhole = false;
  await expect(copied(openInputs())).rejects.toThrow(`${model} into the volume`);
  expect(left()).toEqual(nothing);
});

test.each([
  ['that is gone', () => join(model, 'gone'), () => join(model, 'gone')],
  [
    'with a link that leads nowhere',
    () => {
      symlinkSync('/nowhere', join(model, 'link'));
      return model;
    },
    () => join(model, 'link'),
  ],
])('a path %s refuses the start, and is named', async (_which, makePath, named) => {
  const refused = openInputs().ensure([makePath()], starting());
  await expect(refused).rejects.toBeInstanceOf(RoleRefusedError);
  await expect(refused).rejects.toMatchObject({ reason: 'user_error', message: expect.stringContaining(named()) });
  expect(left()).toEqual(nothing);
});

test('a file that shrinks before it is read is an error that names it, and nothing of it stays', async () => {
  const file = join(model, 'weights');
  const shrink = () => truncateSync(file, 10);
  fake.faults.push({ on: /\/containers\/create/, fault: { kind: 'act', when: 'before', act: shrink } });
  const copy = copied(openInputs());
  await expect(copy).rejects.toThrow(file);
  await expect(copy).rejects.not.toThrow(/Start Docker|Docker daemon/);
  expect(left()).toEqual(nothing);
});

describe('What a control plane that died has left half filled', () => {
  let dead: ReturnType<typeof starting>;
  let copy: Promise<unknown>;
  beforeEach(async () => {
    fake.faults.push({ on: COPY, fault: { kind: 'hang' }, times: 1 });
    dead = starting();
    copy = openInputs().ensure([model], dead);
    copy.catch(() => {});
    await expect.poll(copies, { interval: 5 }).toBe(1);
  });
  afterEach(async () => {
    dead.abort();
    await copy.catch(() => {});
  });

  test('goes with the next sweep', async () => {
    await openInputs().sweep();
    expect(left()).toEqual(nothing);
  });

  test('is begun anew by the next start', async () => {
    expect(left().volumes).toEqual([await copied(openInputs())]);
    expect([copies(), checks()]).toEqual([2, 1]);
  });
});

test('for a role of another image, the image that checks its inputs is pulled too, and only where there are inputs', async () => {
  for (const image of ['tandem:9', 'other:1']) fake.registry.set(image, { layers: [] });
  const { socketPath } = fake;
  await dockerCaller(socketPath).call('POST', '/networks/create', { Name: 'agents' });
  const runtimes = openDockerRuntimes({ socketPath, image: 'tandem:9', agentNetwork: 'agents' });
  try {
    const spec = { ...plainRole, image: 'other:1', command: [] };
    const pulls = () => fake.requests.filter((request) => request.startsWith('POST /images/create')).length;
    const role = { run: 'run-00000001', attempt: 1, role: 'trainer', start: 1 } as const;
    await runtimes.runtime.start({ ...spec, identity: role });
    expect(pulls()).toBe(1);
    await runtimes.runtime.start({ ...spec, identity: { ...role, run: 'run-00000002' }, inputs: [model] });
    expect(pulls()).toBe(2);
    expect(
      fake
        .containers()
        .map(({ body }) => body.Image)
        .sort(),
    ).toEqual(['other:1', 'other:1', 'tandem:9']);
  } finally {
    await runtimes.cleanUp();
  }
});

/** A container of a role that has the volume. */
async function useVolume(volume: string): Promise<void> {
  const labels = createNames('inputs-test').labels.installation;
  const Mounts = [{ Type: 'volume', Source: volume, Target: '/tandem/inputs' }];
  const body = { Image: 'tandem', Labels: labels, HostConfig: { Mounts } };
  await dockerCaller(fake.socketPath).call('POST', '/containers/create?name=user', body);
}
