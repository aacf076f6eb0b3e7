import { describe, expect, it } from 'vitest';
import type { RoleSpec } from '../runtime.ts';
import { containerBody, type HostChoice } from './container-body.ts';
import { createNames } from './naming.ts';
import { seenAt } from './places.ts';

const names = createNames('3f2b8c1d-0000-4000-8000-000000000000');
const spec: RoleSpec = {
  identity: { run: 'run-7k3m9q2d', attempt: 1, role: 'inference', start: 1 },
  command: ['node', 'main.js', '--port', '8000'],
  env: { TANDEM_TF: 'wasm' },
  files: { token: 'not to be seen' },
  image: null,
  inputs: ['/srv/models/tiny', '/srv/models/tiny'],
  gpus: ['GPU-a', 'GPU-b'],
  epoch: 7,
  shmGib: 0.25,
  health: ['node', '-e', 'probe'],
};
const build = (
  change: Partial<RoleSpec> = {},
  gpuDriver: 'nvidia' | 'cdi' | null = 'nvidia',
  outside: HostChoice['outside'] = null,
) =>
  containerBody(
    { ...spec, ...change },
    {
      ...{ outside },
      ...{ names, image: 'tandem:test', gpuDriver, handedOn: { TANDEM_TF: 'auto', LANG: 'C' } },
      inputVolumes: new Map([['/srv/models/tiny', 'volume-of-tiny']]),
    },
  );
const trainer = { identity: { ...spec.identity, role: 'trainer' as const }, health: null };
const mounts = (change: Partial<RoleSpec> = {}) =>
  build(change).HostConfig?.Mounts?.map(({ Type, Source, Target, ReadOnly }) => [Type, Source, Target, ReadOnly]);

describe('the container of a role', () => {
  it.each([
    ['drops every capability', { CapDrop: ['ALL'] }],
    ['gains no privileges', { SecurityOpt: ['no-new-privileges'] }],
    ['has a read-only root', { ReadonlyRootfs: true }],
    ['has its own IPC', { IpcMode: 'private' }],
    ['reaps what its processes leave', { Init: true }],
    ['has a limit of processes', { PidsLimit: 8192 }],
    ['is never started by the daemon itself', { RestartPolicy: { Name: 'no' } }],
    ['keeps its exit code', { AutoRemove: false }],
    ['is in the network of its pair', { NetworkMode: 'tandem-3f2b8c1d-run-7k3m9q2d.a1' }],
    ['has shared memory of its own', { ShmSize: 2 ** 28 }],
  ])('%s', (_, part) => {
    for (const role of [{}, trainer]) expect(build(role).HostConfig).toMatchObject(part);
  });

  it.each([
    'Privileged',
    'CapAdd',
    'PidMode',
    'Binds',
    'Devices',
    'PortBindings',
    'UsernsMode',
    'CgroupParent',
    'Runtime',
  ])('has no %s', (name) => {
    for (const role of [{}, trainer]) expect(build(role).HostConfig).not.toHaveProperty(name);
  });

  it('has one directory of the host where it shares with programs there, the one that is its attempt’s own, and finds them by a name', () => {
    const directory = '/srv/adapters/tandem-3f2b8c1d-run-7k3m9q2d.a1';
    const plain = build(trainer);
    const sharing = build(trainer, 'nvidia', { directory, address: '172.18.0.1' });
    const { Binds, ExtraHosts, Mounts = [], ...rest } = sharing.HostConfig ?? {};
    expect(Binds).toEqual([`${directory}:${directory}`]);
    expect(ExtraHosts).toEqual(['host.docker.internal:172.18.0.1']);
    expect({ ...rest, Mounts: Mounts.length }).toEqual({
      ...plain.HostConfig,
      Mounts: plain.HostConfig?.Mounts?.length,
    });
    const marked = Mounts.filter(({ VolumeOptions }) => VolumeOptions?.Labels?.['dev.tandem.adapters'] === directory);
    expect(marked.map(({ Target }) => Target)).toEqual(['/tandem/shared']);
    expect(plain.HostConfig).not.toHaveProperty('ExtraHosts');
  });

  it('starts what its image starts by itself when it names no command', () => {
    const own = build({ ...trainer, command: [], image: 'own:1' });
    expect(own).not.toHaveProperty('Entrypoint');
    expect(own).not.toHaveProperty('Cmd');
    expect(own.HostConfig).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'] });
  });

  it('mounts named volumes alone: its own, the one of the pair and its inputs, which it only reads', () => {
    expect(mounts()).toEqual([
      ['volume', 'tandem-3f2b8c1d-run-7k3m9q2d.a1.inference', '/tandem/own', false],
      ['volume', 'tandem-3f2b8c1d-run-7k3m9q2d.a1', '/tandem/shared', true],
      ['volume', 'volume-of-tiny', seenAt('/srv/models/tiny').replace(/\/tiny$/, ''), true],
    ]);
  });

  it('keeps what a program compiles in one volume for all runs, where the program asks for that', () => {
    const caches = ['VLLM_CACHE_ROOT'];
    expect(mounts({ caches })?.[2]).toEqual([
      'volume',
      'tandem-3f2b8c1d-compile-cache',
      '/tandem/compile-cache',
      false,
    ]);
    expect(build({ caches }).Env).toContain('VLLM_CACHE_ROOT=/tandem/compile-cache/VLLM_CACHE_ROOT');
    expect(JSON.stringify(build())).not.toContain('compile-cache');
  });

  it('lets the trainer alone write adapters', () => {
    expect(mounts(trainer)?.[1]?.[3]).toBe(false);
  });

  it('has no secret in its body', () => {
    expect(JSON.stringify(build())).not.toContain('not to be seen');
  });

  it('asks for exactly the leased GPUs, and shuts the door that an image could open by itself', () => {
    expect(build().HostConfig?.DeviceRequests).toEqual([
      { Driver: 'nvidia', DeviceIDs: ['GPU-a', 'GPU-b'], Capabilities: [['gpu', 'compute', 'utility']] },
    ]);
    expect(build({}, 'cdi').HostConfig?.DeviceRequests).toEqual([
      { Driver: 'cdi', DeviceIDs: ['nvidia.com/gpu=GPU-a', 'nvidia.com/gpu=GPU-b'] },
    ]);
    expect(build({ gpus: [] }).HostConfig?.DeviceRequests).toEqual([]);
    expect(build({ gpus: [] }).Env).toContain('NVIDIA_VISIBLE_DEVICES=void');
    expect(build().Env).not.toContain('NVIDIA_VISIBLE_DEVICES=void');
  });

  it('hands on what the control plane got for programs of ours, to no other image and over nothing that the role says', () => {
    expect(build().Env).toEqual(expect.arrayContaining(['LANG=C', 'TANDEM_TF=wasm']));
    expect(build().Env).not.toContain('TANDEM_TF=auto');
    expect(build({ env: {} }).Env).toContain('TANDEM_TF=auto');
    expect(build({ env: {}, image: 'vllm:1' }).Env?.filter((each) => /^(LANG|TANDEM_TF)=/.test(each))).toEqual([]);
  });

  it('carries the epoch of its lease', () => {
    expect(build().Labels).toMatchObject({ 'dev.tandem.epoch': '7' });
    expect(build({ epoch: null }).Labels).not.toHaveProperty('dev.tandem.epoch');
  });

  it('is checked from within where it serves, and by no check of its image where it does not', () => {
    expect(build().Healthcheck?.Test).toEqual(['CMD', 'node', '-e', 'probe']);
    expect(build(trainer).Healthcheck).toEqual({ Test: ['NONE'] });
  });

  it('is found by its trainer under one name', () => {
    expect(build().NetworkingConfig?.EndpointsConfig).toEqual({
      'tandem-3f2b8c1d-run-7k3m9q2d.a1': { Aliases: ['inference'] },
    });
  });
});
