import { randomBytes } from 'node:crypto';
import type { DockerEvent } from './events.ts';

/** The body of a create request, as far as the fake acts on it; all of it is kept and given back. */
export interface CreateBody {
  Image: string;
  Entrypoint?: string[] | null;
  Cmd?: string[] | null;
  Env?: string[] | null;
  User?: string;
  WorkingDir?: string;
  Labels?: Record<string, string> | null;
  Healthcheck?: { Test?: string[]; Interval?: number; Timeout?: number; Retries?: number; StartPeriod?: number };
  HostConfig?: HostConfig;
  NetworkingConfig?: { EndpointsConfig?: Record<string, EndpointBody | null> };
}

export interface HostConfig {
  NetworkMode?: string;
  Mounts?: MountBody[];
  Binds?: string[];
  ExtraHosts?: string[];
  ReadonlyRootfs?: boolean;
  DeviceRequests?: DeviceRequest[] | null;
  Init?: boolean;
  Memory?: number;
  AutoRemove?: boolean;
}

export interface MountBody {
  Type: string;
  Source?: string;
  Target: string;
  ReadOnly?: boolean;
  VolumeOptions?: { Labels?: Record<string, string> };
}

export interface DeviceRequest {
  Driver?: string;
  Count?: number;
  DeviceIDs?: string[] | null;
  Capabilities?: string[][] | null;
  Options?: Record<string, string> | null;
}

export interface EndpointBody {
  Aliases?: string[] | null;
}

export interface LogLine {
  stream: 1 | 2;
  /** Nanoseconds since the epoch; no two lines of one daemon have the same. */
  time: bigint;
  text: Buffer;
}

/** What runs in a container. */
export interface Program {
  pid: number;
  /** A name without SIG. */
  signal(name: string): void;
  /** Runs a health check's command: whether it succeeds. */
  check(command: readonly string[]): Promise<boolean>;
}

/** Starts what a container runs. @throws Refusal when there is no such program */
export type Launch = (
  container: FakeContainer,
  tell: { print(stream: 1 | 2, chunk: Buffer): void; exit(code: number, outOfMemory?: boolean): void },
) => Program;

export interface Endpoint {
  aliases: string[];
  address: string;
}

export interface FakeContainer {
  id: string;
  name: string;
  body: CreateBody;
  created: string;
  status: 'created' | 'running' | 'exited';
  exitCode: number;
  error: string;
  outOfMemory: boolean;
  startedAt: string;
  finishedAt: string;
  program: Program | null;
  /** null without a health check. */
  health: { status: 'starting' | 'healthy' | 'unhealthy'; failingStreak: number } | null;
  endHealth: () => void;
  logs: LogLine[];
  /** What it has printed while the daemon was down. */
  unread: LogLine[];
  networks: Map<string, Endpoint>;
  /** Of its own file system on this machine. */
  root: string;
  /** Called on every line and change of state; `removed` is told in `isRemoved`. */
  listeners: Set<() => void>;
  isRemoved: boolean;
}

export interface FakeNetwork {
  id: string;
  name: string;
  created: string;
  internal: boolean;
  labels: Record<string, string>;
  subnet: string;
  /** Null where the request named a subnet without one: inspect then names none, though the bridge has one. */
  gateway: string | null;
}

export interface FakeVolume {
  name: string;
  created: string;
  labels: Record<string, string>;
  directory: string;
}

/** Everything a daemon keeps; outlives its restarts. */
export interface DaemonState {
  directory: string;
  isUp: boolean;
  containers: Map<string, FakeContainer>;
  networks: Map<string, FakeNetwork>;
  volumes: Map<string, FakeVolume>;
  images: Map<string, { id: string; env: string[]; labels: Record<string, string> }>;
  /** The last 256; a restart empties them. */
  events: DockerEvent[];
  eventListeners: Set<(event: DockerEvent) => void>;
  /** Owner, group and mode of what was unpacked, by path on this machine: not every test may give files away. */
  owners: Map<string, { uid: number; gid: number; mode: number }>;
  /** Of networks that are made without a subnet; their first address when null. */
  gateway: string | null;
  gpus: readonly string[];
  gpuHistory: GpuHolding[];
  starts: string[];
}

/** A container that had a GPU, from its start to its end. */
export interface GpuHolding {
  uuid: string;
  container: string;
  labels: Record<string, string>;
  from: bigint;
  /** Null while it runs. */
  to: bigint | null;
}

/** An answer with an error status, `{"message": …}`. */
export class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const newId = (): string => randomBytes(32).toString('hex');

let lastNano = 0n;
/** Strictly increasing within this process. */
export function nowNano(): bigint {
  const now = BigInt(Date.now()) * 1_000_000n;
  lastNano = now > lastNano ? now : lastNano + 1n;
  return lastNano;
}

/** RFC 3339 with nine digits, as logs have it. */
export function rfc3339Nano(time: bigint): string {
  const seconds = new Date(Number(time / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(time % 1_000_000_000n).padStart(9, '0')}Z`;
}

export const never = '0001-01-01T00:00:00Z';

/** By name, id, or the beginning of an id. */
export function findContainer(state: DaemonState, key: string): FakeContainer {
  const name = key.replace(/^\//, '');
  for (const container of state.containers.values()) {
    if (container.id === key || container.name === name) return container;
  }
  for (const container of state.containers.values()) {
    if (key.length >= 4 && container.id.startsWith(key)) return container;
  }
  throw new Refusal(404, `No such container: ${key}`);
}

export function tellListeners(container: FakeContainer): void {
  for (const listener of [...container.listeners]) listener();
}

/** Filters of a list request: `{"label": ["a", "b=c"], "name": ["x"]}`. */
export type Filters = Record<string, string[]>;

export function hasLabels(labels: Record<string, string>, wanted: readonly string[] | undefined): boolean {
  return (wanted ?? []).every((text) => {
    const [key = '', ...value] = text.split('=');
    return key in labels && (value.length === 0 || labels[key] === value.join('='));
  });
}
