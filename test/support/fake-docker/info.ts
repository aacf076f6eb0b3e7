import type { GpuAccess } from './gpus.ts';
import type { Reply } from './http.ts';
import type { DaemonState } from './state.ts';

const VERSION = '20.10.24+fake';

export function versionReply(): Reply {
  const json = {
    Version: VERSION,
    ApiVersion: '1.41',
    MinAPIVersion: '1.12',
    Os: 'linux',
    Arch: 'amd64',
    Components: [],
  };
  return { status: 200, json };
}

/** `override` replaces fields. */
export function infoReply(
  state: DaemonState,
  given: { id: string; liveRestore: boolean; gpuAccess: GpuAccess; override: Record<string, unknown> },
): Reply {
  const containers = [...state.containers.values()];
  const running = containers.filter(({ status }) => status === 'running').length;
  const hasHook = given.gpuAccess === 'hook' || given.gpuAccess === 'both';
  const hasCdi = given.gpuAccess === 'cdi' || given.gpuAccess === 'both';
  const json = {
    ID: given.id,
    Name: 'fake',
    ServerVersion: VERSION,
    Containers: containers.length,
    ContainersRunning: running,
    ContainersPaused: 0,
    ContainersStopped: containers.length - running,
    Images: state.images.size,
    Driver: 'overlay2',
    OSType: 'linux',
    Architecture: 'x86_64',
    NCPU: 64,
    MemTotal: 2 ** 40,
    DockerRootDir: state.directory,
    CgroupVersion: '2',
    CgroupDriver: 'systemd',
    LoggingDriver: 'json-file',
    LiveRestoreEnabled: given.liveRestore,
    DefaultRuntime: 'runc',
    Runtimes: { runc: { path: 'runc' }, ...(hasHook ? { nvidia: { path: 'nvidia-container-runtime' } } : {}) },
    InitBinary: 'docker-init',
    SecurityOptions: ['name=seccomp,profile=default'],
    ...(hasCdi ? { CDISpecDirs: ['/etc/cdi', '/var/run/cdi'], DiscoveredDevices: discovered(state) } : {}),
    ...given.override,
  };
  return { status: 200, json };
}

function discovered(state: DaemonState) {
  return state.gpus.map((uuid) => ({ Source: 'cdi', ID: `nvidia.com/gpu=${uuid}` }));
}
