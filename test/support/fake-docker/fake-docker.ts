import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeTree } from '../../../services/platform/testing/remove-tree.ts';
import { type DockerFaultRule, type EventFaults, eventTamperer, faultChooser } from './faults.ts';
import type { GpuAccess } from './gpus.ts';
import { addImage, type RegistryImage } from './images.ts';
import type { Host } from './lifecycle.ts';
import { addNetwork, builtIn } from './networks.ts';
import { launchProcesses, type ProcessOptions } from './processes.ts';
import { endAll, lose, takeUp } from './restart.ts';
import { router } from './routes.ts';
import { type Behaviours, launchScripted } from './scripted.ts';
import { fakeServer } from './server.ts';
import { type DaemonState, type FakeContainer, findContainer, type GpuHolding, newId } from './state.ts';

export interface FakeDockerOptions {
  /** What containers do; null for one whose command is to run. */
  behaviours?: Behaviours;
  /** Commands run as processes of this machine, with the user and the rights of the test. */
  processes?: ProcessOptions | boolean;
  /** Images that are there. `tandem` is. */
  images?: readonly string[];
  /** How many GPUs the host has, or their UUIDs; none when absent. */
  gpus?: number | readonly string[];
  gpuAccess?: GpuAccess;
  liveRestore?: boolean;
  /** Fields of `GET /info` that are to be other than they are. */
  info?: Record<string, unknown>;
  /** Milliseconds between health checks, in place of what containers say. */
  healthInterval?: number;
  /** Milliseconds that a daemon without live-restore waits at its start between TERM and KILL; a real one takes 10,000. */
  grace?: number;
}

/** A daemon of a test's own that does what it is told, also what a real one does only now and then. */
export interface FakeDocker {
  host: string;
  socketPath: string;
  gpus: readonly string[];
  /** `METHOD /path?query` of every request since the start, without the version. */
  requests: readonly string[];
  /** Rules take effect when they are pushed. */
  faults: DockerFaultRule[];
  /** For streams of events that begin from now on. */
  faultEvents(faults: EventFaults): void;
  registry: Map<string, RegistryImage>;
  containers(): FakeContainer[];
  container(nameOrId: string): FakeContainer;
  networks(): string[];
  volumes(): string[];
  /** Which running containers have each GPU; those that nobody has are not named. */
  gpuUse(): Map<string, string[]>;
  /** Who had which GPU from when to when; see `gpuConflicts`. */
  gpuHistory: readonly GpuHolding[];
  /** The name of a container for each time that one was started. */
  starts: readonly string[];
  /** A container is gone, with its program, and nobody is told. */
  lose(nameOrId: string): void;
  /** As SIGKILL of dockerd: all connections are reset, new ones are refused; containers go on. */
  kill(): Promise<void>;
  /** Nothing happens when it is up. `rebooted`: the machine was started anew meanwhile, so all that ran ended with 255. */
  start(options?: { liveRestore?: boolean; rebooted?: boolean }): Promise<void>;
  /** Ends everything and removes what was stored. */
  close(): Promise<void>;
}

export async function startFakeDocker(options: FakeDockerOptions = {}): Promise<FakeDocker> {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-fake-docker-'));
  const state = emptyState(directory, options);
  const socketPath = join(directory, 'docker.sock');
  const id = newId().slice(0, 12).toUpperCase();
  const requests: string[] = [];
  const faults: DockerFaultRule[] = [];
  const registry = new Map<string, RegistryImage>();
  const gpuAccess = options.gpuAccess ?? (state.gpus.length === 0 ? 'none' : 'hook');
  let liveRestore = options.liveRestore ?? false;
  let eventFaults: EventFaults = {};
  const server = fakeServer({
    socketPath,
    route: router({
      host: hostOf(state, gpuAccess, options),
      registry,
      info: () => ({ id, liveRestore, gpuAccess, override: options.info ?? {} }),
      tamperer: () => eventTamperer(eventFaults),
    }),
    chooseFaults: faultChooser(faults),
    note: (name) => requests.push(name),
  });

  async function kill(): Promise<void> {
    state.isUp = false;
    await server.close();
  }

  await server.open();
  return {
    host: `unix://${socketPath}`,
    socketPath,
    gpus: state.gpus,
    requests,
    faults,
    faultEvents: (given) => {
      eventFaults = given;
    },
    registry,
    containers: () => [...state.containers.values()],
    container: (key) => findContainer(state, key),
    networks: () => [...state.networks.values()].map(({ name }) => name).filter((name) => !builtIn.has(name)),
    volumes: () => [...state.volumes.keys()],
    gpuUse: () => gpuUse(state.gpuHistory),
    gpuHistory: state.gpuHistory,
    starts: state.starts,
    lose: (key) => lose(state, key),
    kill,
    async start(given = {}) {
      if (server.isOpen()) return;
      liveRestore = given.liveRestore ?? liveRestore;
      await takeUp(state, { liveRestore, rebooted: given.rebooted ?? false, grace: options.grace ?? 10_000 });
      await server.open();
    },
    async close() {
      await kill();
      await endAll(state);
      await removeTree(directory);
    },
  };
}

function emptyState(
  directory: string,
  { gpus = 0, images = ['tandem'], processes = false }: FakeDockerOptions,
): DaemonState {
  const uuid = (i: number) => `GPU-00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
  const state: DaemonState = {
    directory,
    isUp: true,
    containers: new Map(),
    networks: new Map(),
    volumes: new Map(),
    images: new Map(),
    events: [],
    eventListeners: new Set(),
    owners: new Map(),
    // Where processes reach what listens on a gateway.
    gateway: processes === false ? null : '127.0.0.1',
    gpus: typeof gpus === 'number' ? Array.from({ length: gpus }, (_, i) => uuid(i)) : gpus,
    gpuHistory: [],
    starts: [],
  };
  mkdirSync(join(directory, 'volumes'));
  addNetwork(state, 'bridge', { subnet: '172.17.0.0/16', gateway: '172.17.0.1' });
  for (const name of ['host', 'none']) addNetwork(state, name, { subnet: '', gateway: null });
  for (const image of images) addImage(state, image);
  return state;
}

function hostOf(state: DaemonState, gpuAccess: GpuAccess, options: FakeDockerOptions): Host {
  const { behaviours, processes = false, healthInterval } = options;
  const runProcess = processes === false ? null : launchProcesses(state, processes === true ? {} : processes);
  return {
    state,
    gpuAccess,
    healthInterval,
    launch(container, tell) {
      const behaviour = behaviours?.(container.body, container.name) ?? null;
      const launch = behaviour === null && runProcess !== null ? runProcess : launchScripted(state, behaviour ?? {});
      return launch(container, tell);
    },
  };
}

function gpuUse(history: readonly GpuHolding[]): Map<string, string[]> {
  const use = new Map<string, string[]>();
  for (const { uuid, container, to } of history) {
    if (to === null) use.set(uuid, [...(use.get(uuid) ?? []), container]);
  }
  return use;
}
