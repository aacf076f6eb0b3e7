import { expect, it } from 'vitest';
import { recordedSource } from '../gpus/recorded.fixture.ts';
import type { Facts } from './facts.ts';
import { judge } from './judge.ts';
import { renderPreflight } from './render.ts';

const read = async (host: Parameters<typeof recordedSource>[0]): Promise<Facts['gpus']> => ({
  source: 'nvidia',
  ...(await recordedSource(host).read(new AbortController().signal)),
});
const eight = await read('h100-8-nvlink');
const four = await read('a10-4-pcie');
const noGpus: Facts['gpus'] = { source: 'none', driver_version: null, cuda_version: null, gpus: [], problems: [] };

/** A host on which all is well. */
const good: Facts = {
  system: { name: 'Linux', release: '6.1.0', architecture: 'x64' },
  runtime: 'docker',
  docker: { version: '28.1.1', apiVersion: '1.49', gpuDriver: 'nvidia', showsGpus: true },
  gpusLeftOut: false,
  compose: '2.29.7',
  gpus: eight,
  probe: { kind: 'seen', gpus: 8 },
  adapters: null,
  memoryBytes: 1082e9,
  disks: [{ path: '/srv/tandem', freeBytes: 3000e9 }],
  ports: [{ setting: 'PORT', port: 8080, state: 'free' }],
  keys: { GBOX_API_KEY: true, HF_TOKEN: true, WANDB_API_KEY: true },
};
const lineOf = (facts: Partial<Facts>, name: string) => {
  const found = judge({ ...good, ...facts }).checks.find((each) => each.name === name);
  return `${found?.verdict}: ${found?.found}${found?.remedy ? ` -> ${found.remedy}` : ''}`;
};

it('finds nothing to do on a host that has all', () => {
  const { ready, checks } = judge(good);
  expect(ready).toBe(true);
  expect(checks.every(({ verdict, remedy }) => verdict === 'ok' && remedy === null)).toBe(true);
  expect(checks.map(({ name }) => name)).toEqual([
    ...['system', 'docker', 'compose', 'nvidia-container-toolkit', 'driver', 'gpus', 'memory', 'disk', 'port 8080'],
    ...['GBOX_API_KEY', 'HF_TOKEN', 'WANDB_API_KEY'],
  ]);
});

it('needs of a host without GPUs nothing that only GPUs need, and of one without containers no Docker', () => {
  const bare: Facts = {
    ...good,
    runtime: 'process',
    docker: { failure: 'there is no Docker daemon at /var/run/docker.sock' },
    compose: null,
    gpus: noGpus,
    probe: { kind: 'not_run', why: 'no container of this host gets a GPU' },
    memoryBytes: 8e9,
    disks: [{ path: '/srv/tandem', freeBytes: 20e9 }],
    keys: { GBOX_API_KEY: false, HF_TOKEN: false, WANDB_API_KEY: false },
  };
  const { ready, checks } = judge(bare);
  expect(ready).toBe(true);
  expect(checks.filter(({ verdict }) => !['ok', 'note'].includes(verdict))).toEqual([]);
  expect(judge({ ...bare, runtime: 'docker' }).ready).toBe(false);
});

it.each<[Partial<Facts>, string, RegExp]>([
  [{ adapters: { path: '/srv/a', kind: 'directory' } }, 'TANDEM_ADAPTERS_DIR', /^ok: \/srv\/a is there$/],
  [{ adapters: { path: '/srv/a', kind: 'other' } }, 'TANDEM_ADAPTERS_DIR', /^missing: .* -> name a directory/],
  [
    { adapters: { path: '/srv/a', kind: 'missing' } },
    'TANDEM_ADAPTERS_DIR',
    /^note: .* not seen from here.* -> make it/,
  ],
  [
    { system: { name: 'Darwin', release: '24', architecture: 'arm64' } },
    'system',
    /^missing: Darwin 24.* -> use Linux/,
  ],
  [{ docker: { failure: 'no daemon' } }, 'docker', /^missing: no daemon -> install Docker 20\.10/],
  [
    { docker: { version: '19.03.15', apiVersion: '1.40', gpuDriver: null, showsGpus: false } },
    'docker',
    /^missing: Docker 19\.03\.15 .*-> update/,
  ],
  [{ docker: { version: '20.10.24', apiVersion: '1.41', gpuDriver: null, showsGpus: false } }, 'docker', /^ok/],
  [{ compose: '1.25.0' }, 'compose', /^warning: Compose 1\.25\.0 -> install docker-compose-plugin/],
  [{ compose: '1.29.2' }, 'compose', /^ok/],
  [{ compose: 'dev' }, 'compose', /^ok: Compose of unknown version$/],
  [{ compose: '' }, 'compose', /^ok: Compose of unknown version$/],
  [{ compose: null }, 'compose', /^warning: none was found -> install/],
  [
    { docker: { version: '28', apiVersion: '1.49', gpuDriver: null, showsGpus: false } },
    'nvidia-container-toolkit',
    /^missing: .* -> .*nvidia-ctk/,
  ],
  [{ probe: { kind: 'failed', why: 'exec: nvidia-smi' } }, 'nvidia-container-toolkit', /^missing: .*exec: nvidia-smi/],
  [{ probe: { kind: 'seen', gpus: 7 } }, 'nvidia-container-toolkit', /^warning: .*saw 7 of 8/],
  [{ probe: { kind: 'not_run', why: 'no image' } }, 'nvidia-container-toolkit', /^ok: .*not tried: no image/],
  [{ gpus: { ...eight, cuda_version: '11.8' } }, 'driver', /^missing: .*CUDA 11\.8 -> install an NVIDIA driver/],
  [{ gpus: { ...eight, cuda_version: '12.1' } }, 'driver', /^ok/],
  [{ gpus: { ...noGpus, source: 'nvidia', problems: ['nvidia-smi hangs.'] } }, 'driver', /^missing: nvidia-smi hangs/],
  [{ gpus: { ...noGpus, source: 'nvidia' } }, 'gpus', /^missing: no GPU .*compose\.gpu\.yaml/],
  [{ gpus: noGpus }, 'gpus', /^warning: the control plane sees none, but Docker has .* -> .*compose\.gpu\.yaml/],
  [{ gpus: noGpus, gpusLeftOut: true }, 'gpus', /^note: none/],
  [{ gpus: noGpus, runtime: 'process' }, 'gpus', /^note: none/],
  [{ gpus: noGpus, docker: { failure: 'no daemon' } }, 'gpus', /^note: none/],
  [
    { gpus: noGpus, docker: { version: '28', apiVersion: '1.49', gpuDriver: 'cdi', showsGpus: false } },
    'gpus',
    /^note: none/,
  ],
  [{ gpus: four }, 'gpus', /^warning: 4 GPUs \(NVIDIA A10\) -> 8 are recommended/],
  [{ gpus: { ...eight, gpus: eight.gpus.slice(0, 2) } }, 'gpus', /^missing: 2 GPUs .*-> 4 are needed/],
  [{ memoryBytes: 62.8 * 2 ** 30 }, 'memory', /^ok: 67 GB/],
  [{ memoryBytes: 32e9 }, 'memory', /^missing: 32 GB of memory -> 64 GB/],
  [{ disks: [{ path: '/srv', freeBytes: 499e9 }] }, 'disk', /^missing: 499 GB free at \/srv -> 500 GB/],
  [
    { ports: [{ setting: 'PORT', port: 8080, state: 'taken' }] },
    'port 8080',
    /^missing: another program .* with PORT$/,
  ],
  [{ ports: [{ setting: 'PORT', port: 8080, state: 'ours' }] }, 'port 8080', /^ok: Tandem listens there/],
  [
    { keys: { ...good.keys, GBOX_API_KEY: false } },
    'GBOX_API_KEY',
    /^note: GBOX_API_KEY is not set: runs on GBox need it/,
  ],
])('says of %j what is wrong and the remedy', (facts, name, line) => {
  expect(lineOf(facts, name)).toMatch(line);
});

it('prints one line per check, and whether the host is ready', () => {
  const lines = renderPreflight(judge({ ...good, compose: null, memoryBytes: 1e9 }));
  expect(lines).toHaveLength(13);
  expect(lines).toContain('ok       driver                    driver 570.124.06, CUDA 12.8');
  expect(lines.at(-1)).toBe('Not ready: 1 missing (runtime docker).');
});
