import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createDockerEngine } from '../../services/control-plane/runtimes/docker/engine/create-docker-engine.ts';
import { removeFromHost } from '../../services/control-plane/runtimes/docker/remove-from-host.ts';
import { type FakeDocker, startFakeDocker } from '../support/fake-docker/fake-docker.ts';

let fake: FakeDocker;
let above: string;
let directory: string;
beforeEach(async () => {
  fake = await startFakeDocker({ processes: { namespaces: false } });
  above = mkdtempSync(join(tmpdir(), 'tandem-adapters-'));
  directory = join(above, 'tandem-3f2b8c1d-run-7k3m9q2d.a1');
  mkdirSync(join(directory, 'adapters/v1'), { recursive: true });
  writeFileSync(join(directory, 'adapters/v1/adapter_model.safetensors'), 'weights');
  mkdirSync(join(above, 'of-another-run'));
});
afterEach(async () => {
  await fake.close();
  rmSync(above, { recursive: true });
});

const remove = () =>
  removeFromHost(directory, {
    engine: createDockerEngine({ socketPath: fake.socketPath }),
    ...{ name: 'cleaner', labels: { 'dev.tandem.attempt': 'run-7k3m9q2d.a1' }, image: 'tandem' },
  });
function expectDone(): void {
  expect(existsSync(directory)).toBe(false);
  expect(existsSync(join(above, 'of-another-run'))).toBe(true);
  expect(fake.containers()).toEqual([]);
}

it('removes a directory of the host and nothing beside it, also when it is gone already', async () => {
  await remove();
  expectDone();
  await remove();
  expectDone();
});

it('has done so after the next try, whichever of its requests was cut off', async () => {
  let tried = 0;
  for (const when of ['before', 'after'] as const) {
    for (let skip = 0; ; skip += 1) {
      mkdirSync(join(directory, 'adapters'), { recursive: true });
      const before = fake.requests.length;
      fake.faults.push({ on: /./, fault: { kind: 'cut', when }, skip, times: 1 });
      const cut = await remove().then(
        () => false,
        () => true,
      );
      const requests = fake.requests.length - before;
      fake.faults.splice(0);
      if (cut) await remove();
      expectDone();
      if (skip >= requests) break;
      tried += 1;
    }
  }
  expect(tried).toBeGreaterThanOrEqual(12);
});

it('fails with the remedy where the disk refuses it', async () => {
  await fake.close();
  fake = await startFakeDocker({ behaviours: () => ({ exitCode: 1 }) });
  await expect(remove()).rejects.toThrow('could not be removed (exit code 1); it is tried again. Remove it by hand');
  expect(fake.containers()).toEqual([]);
});
