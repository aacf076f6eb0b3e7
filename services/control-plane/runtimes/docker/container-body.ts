import { posix } from 'node:path';
import type { RoleSpec } from '../runtime.ts';
import type { ContainerBody, HealthcheckBody, MountBody } from './engine/engine-types.ts';
import { deviceRequest, type GpuDriver } from './gpu-request.ts';
import { label, type Names } from './naming.ts';
import { HOST_ALIAS, inferenceAddress, inputMount, places, roleUser } from './places.ts';

const SECOND = 1e9;
const PIDS_LIMIT = 8192;
/** Health checks: every so often, each within so long. vLLM answers late while a batch is under way. */
const HEALTH = { intervalS: 1, timeoutS: 10, retries: 3, startS: 3600 } as const;
/** The daemon keeps so much of what a container prints, in its own compact files; the collector reads it as it comes. */
const LOG_FILES = { 'max-size': '20m', 'max-file': '3' } as const;

/** What the host decides about a container, besides the role itself. */
export interface HostChoice {
  names: Names;
  image: string;
  /** null: the daemon has no GPUs to give. */
  gpuDriver: GpuDriver | null;
  /** The volume of each input, by its path. */
  inputVolumes: ReadonlyMap<string, string>;
  /** Variables of the control plane that Tandem's own programs read. */
  handedOn: Readonly<Record<string, string>>;
  /** For a role that shares with programs outside: the directory of the host that it gets for that, and the host's address. */
  outside: { directory: string; address: string } | null;
}

/** The container of a role, hardened: its own user without capabilities, a read-only root, volumes for what it writes, the pair's network and its own GPUs. */
export function containerBody(spec: RoleSpec, choice: HostChoice): ContainerBody {
  const { names, image, gpuDriver, inputVolumes, handedOn, outside } = choice;
  const { identity, gpus } = spec;
  const network = names.attempt(identity);
  const isTrainer = identity.role === 'trainer';
  const attemptLabels = names.labels.attempt(identity);
  const volume = (Source: string, Target: string, ReadOnly: boolean, Labels = attemptLabels): MountBody => ({
    Type: 'volume',
    Source,
    Target,
    ReadOnly,
    VolumeOptions: { NoCopy: true, Labels },
  });
  const env: Record<string, string> = {
    HOME: places.home,
    XDG_CACHE_HOME: `${places.home}/.cache`,
    // An image may ask for all GPUs by this variable, which the NVIDIA runtime believes.
    ...(gpus.length === 0 ? { NVIDIA_VISIBLE_DEVICES: 'void' } : {}),
    ...Object.fromEntries((spec.caches ?? []).map((name) => [name, posix.join(places.compileCache, name)])),
    ...(spec.image === null ? handedOn : {}),
    ...spec.env,
  };
  return {
    Image: image,
    ...(spec.command.length === 0 ? {} : { Entrypoint: spec.command.slice(0, 1), Cmd: spec.command.slice(1) }),
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    User: `${roleUser.uid}:${roleUser.gid}`,
    WorkingDir: places.workspace,
    Labels: names.labels.role(identity, spec.epoch),
    Healthcheck: healthCheck(spec.health),
    NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: isTrainer ? [] : [inferenceAddress.alias] } } },
    HostConfig: {
      NetworkMode: network,
      Mounts: [
        volume(names.role(identity), places.own, false),
        // The label tells whoever clears the attempt away what else is to be removed.
        volume(network, places.shared, !isTrainer, {
          ...attemptLabels,
          ...(outside === null ? {} : { [label.adapters]: outside.directory }),
        }),
        ...(spec.caches === undefined
          ? []
          : [volume(names.compileCache, places.compileCache, false, names.labels.installation)]),
        ...[...new Set(spec.inputs)].map((path) => volume(inputVolumes.get(path) ?? '', inputMount(path), true, {})),
      ],
      ...(outside === null
        ? {}
        : {
            Binds: [`${outside.directory}:${outside.directory}`],
            ExtraHosts: [`${HOST_ALIAS}:${outside.address}`],
          }),
      Tmpfs: { '/tmp': 'rw,nosuid,nodev,mode=1777' },
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Init: true,
      PidsLimit: PIDS_LIMIT,
      ShmSize: Math.round(spec.shmGib * 2 ** 30),
      IpcMode: 'private',
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
      LogConfig: { Type: 'local', Config: LOG_FILES },
      DeviceRequests: gpus.length === 0 || gpuDriver === null ? [] : [deviceRequest(gpuDriver, gpus)],
    },
  };
}

/** An image's own check is of its own program, so it is turned off where the role has none. */
function healthCheck(command: readonly string[] | null): HealthcheckBody {
  if (command === null) return { Test: ['NONE'] };
  return {
    Test: ['CMD', ...command],
    Interval: HEALTH.intervalS * SECOND,
    Timeout: HEALTH.timeoutS * SECOND,
    Retries: HEALTH.retries,
    StartPeriod: HEALTH.startS * SECOND,
  };
}
