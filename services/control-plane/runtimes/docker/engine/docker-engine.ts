import type { Readable } from 'node:stream';
import type { LogFrame } from './demultiplex.ts';
import type {
  CallOptions,
  ContainerBody,
  ContainerDetail,
  EndpointBody,
  EngineInfo,
  EngineVersion,
  ImageDetail,
  Labels,
  ListedContainer,
  ListedNetwork,
  ListedVolume,
  NetworkBody,
  VolumeBody,
} from './engine-types.ts';
import type { FollowLogs } from './follow-logs.ts';
import type { PullImage } from './pull-image.ts';
import type { Exit, WaitForExit } from './wait-for-exit.ts';
import type { WatchEvents } from './watch-events.ts';

/**
 * Calls that are answered once. All throw `DockerError`, or the reason of the caller's signal once it is aborted. Repeating one does no harm: what was
 * asked for and is so already counts as done. Containers, networks and volumes go by name or id.
 */
export interface EngineCalls {
  info(options?: CallOptions): Promise<EngineInfo>;
  version(options?: CallOptions): Promise<EngineVersion>;
  ping(options?: CallOptions): Promise<void>;

  /** Those that have all the labels, in whatever state; an empty value asks for the label alone. */
  listContainers(labels: Labels, options?: CallOptions): Promise<ListedContainer[]>;
  /** Null when there is none. */
  inspectContainer(container: string, options?: CallOptions): Promise<ContainerDetail | null>;
  /** @throws DockerError `name_taken` when there is one of this name, `not_found` when the image is not there (or a network) */
  createContainer(
    name: string,
    body: ContainerBody,
    options?: CallOptions,
  ): Promise<{ id: string; warnings: string[] }>;
  /** Does nothing to one that runs. */
  startContainer(container: string, options?: CallOptions): Promise<void>;
  /** Does nothing to one that does not run, or is not there. `signal` without SIG. */
  killContainer(container: string, signal: string, options?: CallOptions): Promise<void>;
  /** Also its anonymous volumes; does nothing to one that is not there. @throws DockerError `conflict` when it runs and `force` is not set */
  removeContainer(container: string, options?: CallOptions & { force?: boolean }): Promise<void>;
  /** Unpacks a tar stream in a directory of the container, which need not run. Owners and modes are those of the archive. `limitMs`: ten minutes by default. */
  putArchive(
    container: string,
    path: string,
    tar: Readable,
    options?: CallOptions & { limitMs?: number },
  ): Promise<void>;
  /** A file or directory as a tar stream; null when it or the container is not there. Read it to its end or destroy it. */
  getArchive(container: string, path: string, options?: CallOptions): Promise<Readable | null>;

  listNetworks(labels: Labels, options?: CallOptions): Promise<ListedNetwork[]>;
  /** Null when there is none. */
  inspectNetwork(network: string, options?: CallOptions): Promise<ListedNetwork | null>;
  /** @throws DockerError `name_taken`, or `overlap` when the subnet meets that of another network */
  createNetwork(body: NetworkBody, options?: CallOptions): Promise<{ id: string }>;
  /** Does nothing when it is connected already. */
  connectNetwork(network: string, container: string, endpoint?: EndpointBody, options?: CallOptions): Promise<void>;
  /** Does nothing when there is none. @throws DockerError `conflict` while running containers are connected to it */
  removeNetwork(network: string, options?: CallOptions): Promise<void>;

  listVolumes(labels: Labels, options?: CallOptions): Promise<ListedVolume[]>;
  /** Gives the one that is there when it is. */
  createVolume(body: VolumeBody, options?: CallOptions): Promise<ListedVolume>;
  /** Does nothing when there is none. @throws DockerError `conflict` while a container has it, running or not */
  removeVolume(volume: string, options?: CallOptions): Promise<void>;

  /** Null when it is not on this host. */
  inspectImage(reference: string, options?: CallOptions): Promise<ImageDetail | null>;
}

/** Answers that come bit by bit, each on a connection of its own that ends with its signal. */
export interface EngineStreams {
  /** The frames of a log as they come; see `followLogs`. */
  followLogs(options: FollowLogs): AsyncGenerator<LogFrame[], void, undefined>;
  /** Runs until its signal is aborted, whatever happens to the daemon; see `watchEvents`. */
  watchEvents(options: WatchEvents): Promise<void>;
  /** Once it resolves a start may follow; see `waitForExit`. */
  waitForExit(options: WaitForExit): Promise<{ exited: Promise<Exit> }>;
  /** The image, once it is there; see `pullImage`. */
  pullImage(options: PullImage): Promise<ImageDetail>;
}

export type DockerEngine = EngineCalls & EngineStreams;
