import { emitContainerEvent, emitEvent } from './events.ts';
import { type GpuAccess, holdGpus, releaseGpus, requestedGpus } from './gpus.ts';
import { watchHealth } from './health.ts';
import { type DockerRequest, noContent, notModified, type Reply } from './http.ts';
import { addLogLine, lineCutter } from './logs.ts';
import { findNetwork } from './networks.ts';
import {
  type DaemonState,
  type FakeContainer,
  type Launch,
  never,
  nowNano,
  Refusal,
  rfc3339Nano,
  tellListeners,
} from './state.ts';

export interface Host {
  state: DaemonState;
  launch: Launch;
  gpuAccess: GpuAccess;
  /** Milliseconds between health checks; as the container says when absent. */
  healthInterval: number | undefined;
}

export function startContainer(host: Host, container: FakeContainer): Reply {
  const { state } = host;
  if (container.status === 'running') return notModified;
  try {
    for (const network of container.networks.keys()) findNetwork(state, network);
    const gpus = requestedGpus(state, host.gpuAccess, container);
    container.program = launchIn(host, container);
    holdGpus(state, container, gpus);
    state.starts.push(container.name);
  } catch (error) {
    container.exitCode = 128;
    container.error = (error as Error).message;
    throw error;
  }
  container.status = 'running';
  container.exitCode = 0;
  container.error = '';
  container.outOfMemory = false;
  container.startedAt = rfc3339Nano(nowNano());
  container.finishedAt = never;
  for (const name of container.networks.keys()) emitNetwork(state, container, name, 'connect');
  emitContainerEvent(state, container, 'start');
  watchHealth(host, container);
  tellListeners(container);
  return noContent;
}

function launchIn({ state, launch }: Host, container: FakeContainer) {
  const cutters = { 1: cutter(1), 2: cutter(2) };
  function cutter(stream: 1 | 2) {
    return lineCutter((text) => addLogLine(state, container, stream, text));
  }
  return launch(container, {
    print(stream, chunk) {
      cutters[stream].take(chunk);
      tellListeners(container);
    },
    exit(code, outOfMemory = false) {
      cutters[1].end();
      cutters[2].end();
      endContainer(state, container, code, outOfMemory);
    },
  });
}

/** What a daemon notes when a container's program has ended. */
export function endContainer(state: DaemonState, container: FakeContainer, code: number, outOfMemory: boolean): void {
  if (container.status !== 'running' || container.isRemoved) return;
  container.endHealth();
  container.status = 'exited';
  container.program = null;
  container.exitCode = code;
  container.outOfMemory = outOfMemory;
  container.finishedAt = rfc3339Nano(nowNano());
  releaseGpus(state, container);
  if (outOfMemory) emitContainerEvent(state, container, 'oom');
  emitContainerEvent(state, container, 'die', { exitCode: String(code) });
  for (const name of container.networks.keys()) emitNetwork(state, container, name, 'disconnect');
  tellListeners(container);
  if (container.body.HostConfig?.AutoRemove === true) forget(state, container);
}

export function killContainer({ state }: Host, container: FakeContainer, key: string, query: URLSearchParams): Reply {
  const signal = (query.get('signal') ?? 'KILL').replace(/^SIG/, '');
  if (container.program === null) {
    throw new Refusal(409, `Cannot kill container: ${key}: Container ${container.id} is not running`);
  }
  container.program.signal(signal);
  emitContainerEvent(state, container, 'kill', { signal });
  return noContent;
}

/** `POST /containers/{id}/wait`: the headers at once, the code when it is there. */
export function waitForContainer(container: FakeContainer, { query }: DockerRequest): Reply {
  const condition = query.get('condition') || 'not-running';
  if (!['not-running', 'next-exit', 'removed'].includes(condition)) {
    throw new Refusal(400, `invalid condition: "${condition}"`);
  }
  let hasRun = container.status === 'running';
  const isOver = () => {
    if (container.isRemoved) return true;
    if (condition === 'removed') return false;
    if (condition === 'not-running') return container.status !== 'running';
    hasRun ||= container.status === 'running';
    return hasRun && container.status === 'exited';
  };
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    stream: (write, gone) =>
      new Promise<void>((resolve) => {
        const look = () => {
          const over = isOver();
          if (!over && !gone.aborted) return;
          container.listeners.delete(look);
          if (over) write(Buffer.from(`${JSON.stringify({ Error: null, StatusCode: container.exitCode })}\n`));
          resolve();
        };
        container.listeners.add(look);
        gone.addEventListener('abort', look, { once: true });
        look();
      }),
  };
}

export function removeContainer({ state }: Host, container: FakeContainer, query: URLSearchParams): Reply {
  const force = /^(1|true)$/i.test(query.get('force') ?? '');
  if (container.status === 'running') {
    if (!force) {
      const advice = 'Stop the container before attempting removal or force remove';
      throw new Refusal(409, `You cannot remove a running container ${container.id}. ${advice}`);
    }
    container.program?.signal('KILL');
    endContainer(state, container, 137, false);
  }
  forget(state, container);
  return noContent;
}

function forget(state: DaemonState, container: FakeContainer): void {
  state.containers.delete(container.id);
  container.isRemoved = true;
  emitContainerEvent(state, container, 'destroy');
  tellListeners(container);
}

function emitNetwork(state: DaemonState, container: FakeContainer, key: string, action: string): void {
  const network = [...state.networks.values()].find(({ id, name }) => id === key || name === key);
  if (network === undefined) return;
  emitEvent(state, 'network', action, network.id, { container: container.id, name: network.name, type: 'bridge' });
}
