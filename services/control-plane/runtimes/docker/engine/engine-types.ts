/** How a call ends early: the caller's own signal. Each call has a limit of its own besides. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
}

export type Labels = Readonly<Record<string, string>>;

export interface EngineInfo {
  /** Of the daemon's data directory: another id is another daemon, which cannot know our containers. */
  id: string;
  serverVersion: string;
  cgroupVersion: string;
  liveRestore: boolean;
  /** Names of OCI runtimes; `nvidia` is the hook of the NVIDIA container toolkit. */
  runtimes: readonly string[];
  /** The one of containers that name none. */
  defaultRuntime: string;
  /** Directories of CDI specifications; empty before Docker 25 or with CDI off. */
  cdiDirectories: readonly string[];
  /** CDI devices that the daemon has found (`nvidia.com/gpu=GPU-…`); empty before Docker 28. */
  cdiDevices: readonly string[];
  securityOptions: readonly string[];
  /** Bytes. */
  memory: number;
  cpus: number;
  dataRoot: string;
}

export interface EngineVersion {
  version: string;
  apiVersion: string;
  minApiVersion: string;
}

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

export interface ListedContainer {
  id: string;
  /** Without the leading slash. */
  name: string;
  labels: Labels;
  state: ContainerStatus;
}

export interface ContainerDetail {
  id: string;
  name: string;
  labels: Labels;
  /** The id of the image it was made from (`sha256:…`). */
  imageId: string;
  state: {
    status: ContainerStatus;
    running: boolean;
    /** The daemon's word that the kernel killed a process of it because memory had run out. */
    oomKilled: boolean;
    /** 0 when it does not run. */
    pid: number;
    /** Meaningful once `status` is `exited` or `dead`. */
    exitCode: number;
    /** Why it could not be started; empty otherwise. */
    error: string;
    /** ISO 8601 with nanoseconds; null when it never was. */
    startedAt: string | null;
    finishedAt: string | null;
    /** Null without a health check. */
    health: 'starting' | 'healthy' | 'unhealthy' | null;
    /** What the newest health checks printed, oldest first. */
    healthLog: readonly { exitCode: number; output: string }[];
  };
  networks: Readonly<Record<string, { networkId: string; address: string; gateway: string }>>;
  /** The OCI runtime it has; empty where the daemon does not fill in its default one. */
  runtime: string;
  /** `NVIDIA_VISIBLE_DEVICES`, its own or of its image: GPUs that it gets by the NVIDIA runtime, and by no other. Null where there is none. */
  visibleDevices: string | null;
  /** GPUs that it asked for. `ids`: UUIDs, indices, or CDI names; `count`: as many as there are from the first, -1 for all. */
  deviceRequests: readonly { ids: readonly string[]; count: number }[];
  mounts: readonly { type: string; name: string | null; source: string; destination: string; writable: boolean }[];
  logDriver: string;
}

/** The part of the Engine API's container body that Tandem uses, by its names. */
export interface ContainerBody {
  Image: string;
  Hostname?: string;
  User?: string;
  WorkingDir?: string;
  Entrypoint?: readonly string[];
  Cmd?: readonly string[];
  /** `NAME=value`. Never part of an error's message. */
  Env?: readonly string[];
  Labels?: Labels;
  StopSignal?: string;
  /** Seconds. */
  StopTimeout?: number;
  ExposedPorts?: Readonly<Record<string, Record<string, never>>>;
  Healthcheck?: HealthcheckBody;
  HostConfig?: HostConfigBody;
  NetworkingConfig?: { EndpointsConfig: Readonly<Record<string, EndpointBody>> };
}

/** Times are nanoseconds. */
export interface HealthcheckBody {
  Test: readonly string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  Retries?: number;
}

export interface MountBody {
  Type: 'bind' | 'volume' | 'tmpfs';
  Source?: string;
  Target: string;
  ReadOnly?: boolean;
  VolumeOptions?: { NoCopy?: boolean; Labels?: Labels };
  BindOptions?: { Propagation?: string };
  /** `SizeBytes` in bytes; `Mode` as a number. */
  TmpfsOptions?: { SizeBytes?: number; Mode?: number };
}

export interface DeviceRequestBody {
  Driver?: string;
  DeviceIDs: readonly string[];
  Capabilities?: readonly (readonly string[])[];
}

export interface HostConfigBody {
  NetworkMode?: string;
  Mounts?: readonly MountBody[];
  /** `source:target`; the daemon makes a source that is missing. */
  Binds?: readonly string[];
  Tmpfs?: Readonly<Record<string, string>>;
  DeviceRequests?: readonly DeviceRequestBody[];
  /** Bytes, as `Memory`. */
  ShmSize?: number;
  Memory?: number;
  MemorySwap?: number;
  NanoCpus?: number;
  PidsLimit?: number;
  ReadonlyRootfs?: boolean;
  Privileged?: boolean;
  CapDrop?: readonly string[];
  CapAdd?: readonly string[];
  SecurityOpt?: readonly string[];
  Init?: boolean;
  IpcMode?: string;
  AutoRemove?: boolean;
  RestartPolicy?: { Name: string; MaximumRetryCount?: number };
  LogConfig?: { Type: string; Config?: Readonly<Record<string, string>> };
  Ulimits?: readonly { Name: string; Soft: number; Hard: number }[];
  ExtraHosts?: readonly string[];
  Dns?: readonly string[];
  OomScoreAdj?: number;
  CgroupParent?: string;
  /** OCI runtime; the daemon's default where it is left out. */
  Runtime?: string;
}

export interface EndpointBody {
  Aliases?: readonly string[];
  IPAMConfig?: { IPv4Address?: string };
}

export interface NetworkBody {
  Name: string;
  Driver?: string;
  Internal?: boolean;
  Labels?: Labels;
  Options?: Readonly<Record<string, string>>;
  IPAM?: { Driver?: string; Config: readonly { Subnet: string; Gateway?: string }[] };
}

export interface ListedNetwork {
  id: string;
  name: string;
  labels: Labels;
  driver: string;
  internal: boolean;
  subnets: readonly { subnet: string; gateway: string | null }[];
}

export interface VolumeBody {
  Name: string;
  Driver?: string;
  Labels?: Labels;
  DriverOpts?: Readonly<Record<string, string>>;
}

export interface ListedVolume {
  name: string;
  labels: Labels;
  mountpoint: string;
}

export interface ImageDetail {
  id: string;
  /** `name@sha256:…`; empty for an image that was built or imported here. */
  digests: readonly string[];
  tags: readonly string[];
  entrypoint: readonly string[];
  user: string;
  /** `NAME=value`. */
  env: readonly string[];
  /** Bytes. */
  size: number;
}

export interface RegistryAuth {
  username?: string;
  password?: string;
  identitytoken?: string;
  serveraddress?: string;
}
