import { createRequire } from 'node:module';
import type Docker from 'dockerode';
import type { Labels } from './engine-types.ts';

/** 20.10, and what newer daemons still speak. */
export const API_VERSION = 'v1.41';

interface Ends {
  abortSignal: AbortSignal;
}

/** What dockerode answers for a network. */
export interface NetworkAnswer {
  Id: string;
  Name: string;
  Labels: Labels | null;
  Driver: string;
  Internal: boolean;
  IPAM?: { Config?: { Subnet?: string; Gateway?: string }[] | null };
}

/** What it answers for a volume. */
export interface VolumeAnswer {
  Name: string;
  Labels: Labels | null;
  Mountpoint: string;
}

/** What `GET /info` tells; newer daemons more than older ones. */
export interface InfoAnswer {
  ID?: string;
  ServerVersion?: string;
  CgroupVersion?: string;
  DefaultRuntime?: string;
  LiveRestoreEnabled?: boolean;
  Runtimes?: Record<string, unknown>;
  CDISpecDirs?: string[] | null;
  DiscoveredDevices?: { Source?: string; ID?: string }[] | null;
  SecurityOptions?: string[] | null;
  MemTotal?: number;
  NCPU?: number;
  DockerRootDir?: string;
}

/** The part of dockerode that is used, with the signals that its published types leave out. */
export interface Client {
  modem: { dial(request: object, done: (error: unknown, data: unknown) => void): void };
  info(options: Ends): Promise<InfoAnswer>;
  version(options: Ends): Promise<{ Version: string; ApiVersion: string; MinAPIVersion: string }>;
  ping(options: Ends): Promise<unknown>;
  listContainers(
    options: Ends & { all: boolean; filters: object },
  ): Promise<{ Id: string; Names: string[]; Labels: Labels | null; State: string }[]>;
  getContainer(id: string): {
    inspect(options: Ends): Promise<Docker.ContainerInspectInfo>;
    start(options: Ends): Promise<unknown>;
    kill(options: Ends & { signal: string }): Promise<unknown>;
    remove(options: Ends & { force: boolean; v: boolean }): Promise<unknown>;
    putArchive(tar: NodeJS.ReadableStream, options: Ends & { path: string }): Promise<unknown>;
    getArchive(options: Ends & { path: string }): Promise<NodeJS.ReadableStream>;
  };
  listNetworks(options: Ends & { filters: object }): Promise<NetworkAnswer[]>;
  getNetwork(id: string): {
    inspect(options: Ends): Promise<NetworkAnswer>;
    connect(options: Ends & { Container: string; EndpointConfig: object }): Promise<unknown>;
    remove(options: Ends): Promise<unknown>;
  };
  listVolumes(options: Ends & { filters: object }): Promise<{ Volumes: VolumeAnswer[] | null }>;
  getVolume(name: string): { remove(options: Ends): Promise<unknown> };
  getImage(name: string): { inspect(options: Ends): Promise<Docker.ImageInspectInfo> };
}

/**
 * dockerode, which is loaded when it is needed: it brings clients of SSH and gRPC, a fifth of the processor time that a control plane takes to start.
 * It is for this socket and nothing else: without `host` and `protocol` it would take them from DOCKER_HOST. It gets no agent and no timeouts: it walks
 * an agent with `util.inspect` on every request, and its timeouts kill streams that are merely quiet.
 */
export function createClient(socketPath: string): Client {
  const Client = createRequire(import.meta.url)('dockerode') as typeof Docker;
  const options = { socketPath, version: API_VERSION, host: undefined, protocol: 'http' };
  return new Client(options as Docker.DockerOptions) as unknown as Client;
}

/**
 * Creates something. The body goes as a body alone: dockerode's own methods write it into the URL as well, where secrets end up in the daemon's log.
 */
export function create<T>(
  client: Client,
  { kind, query = {}, body, abortSignal }: { kind: string; query?: object; body: object } & Ends,
): Promise<T> {
  const request = {
    path: `/${kind}/create?`,
    method: 'POST',
    options: { _query: query, _body: body },
    abortSignal,
    statusCodes: { 200: true, 201: true },
  };
  return new Promise((resolve, reject) => {
    client.modem.dial(request, (error, data) => (error ? reject(error) : resolve(data as T)));
  });
}

/** The filter of a list: those that have all the labels. */
export function labelFilters(labels: Labels): { label: string[] } {
  return { label: Object.entries(labels).map(([name, value]) => (value === '' ? name : `${name}=${value}`)) };
}

/** dockerode puts names into paths as they are. */
export function pathPart(name: string): string {
  return encodeURIComponent(name);
}
