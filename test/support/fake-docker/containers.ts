import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { emitContainerEvent } from './events.ts';
import { type DockerRequest, isTrue, type Reply, readFilters, readJson } from './http.ts';
import { findImage } from './images.ts';
import { attach } from './networks.ts';
import {
  type CreateBody,
  type DaemonState,
  type FakeContainer,
  hasLabels,
  never,
  newId,
  nowNano,
  Refusal,
  rfc3339Nano,
} from './state.ts';
import { ensureVolume } from './volumes.ts';

export async function createContainer(state: DaemonState, request: DockerRequest): Promise<Reply> {
  const body = await readJson<CreateBody>(request);
  const image = findImage(state, body.Image);
  if (image === undefined) throw new Refusal(404, `No such image: ${body.Image}`);
  const id = newId();
  const name = request.query.get('name') ?? `unnamed_${id.slice(0, 8)}`;
  const holder = [...state.containers.values()].find((other) => other.name === name);
  if (holder !== undefined) {
    const advice = 'You have to remove (or rename) that container to be able to reuse that name.';
    throw new Refusal(
      409,
      `Conflict. The container name "/${name}" is already in use by container "${holder.id}". ${advice}`,
    );
  }
  const root = join(state.directory, 'containers', id);
  bindDirectories(body);
  for (const path of ['tmp', 'etc', ...(body.HostConfig?.Mounts ?? []).map(({ Target }) => Target)]) {
    mkdirSync(join(root, path), { recursive: true });
  }
  for (const mount of body.HostConfig?.Mounts ?? []) {
    if (mount.Type === 'volume')
      mount.Source = ensureVolume(state, mount.Source ?? '', mount.VolumeOptions?.Labels).name;
  }
  const container: FakeContainer = {
    id,
    name,
    body: { ...body, Labels: { ...image.labels, ...body.Labels }, Env: mergeEnv(image.env, body.Env ?? []) },
    created: rfc3339Nano(nowNano()),
    status: 'created',
    exitCode: 0,
    error: '',
    outOfMemory: false,
    startedAt: never,
    finishedAt: never,
    program: null,
    health: null,
    endHealth: () => {},
    logs: [],
    unread: [],
    networks: new Map(),
    root,
    listeners: new Set(),
    isRemoved: false,
  };
  const mode = body.HostConfig?.NetworkMode ?? 'default';
  const endpoints = body.NetworkingConfig?.EndpointsConfig ?? {};
  for (const network of new Set([mode === 'default' ? 'bridge' : mode, ...Object.keys(endpoints)])) {
    attach(state, container, network, endpoints[network] ?? {});
  }
  state.containers.set(id, container);
  emitContainerEvent(state, container, 'create');
  return { status: 201, json: { Id: id, Warnings: [] } };
}

/** `source:target` is a mount like the others, whose source is made where it is missing. */
function bindDirectories({ HostConfig: host }: CreateBody): void {
  for (const bind of host?.Binds ?? []) {
    const [source = '', target = ''] = bind.split(':');
    mkdirSync(source, { recursive: true });
    host!.Mounts = [...(host!.Mounts ?? []), { Type: 'bind', Source: source, Target: target }];
  }
}

export function listContainers(state: DaemonState, { query }: DockerRequest): Reply {
  const { label, name, id, status } = readFilters(query);
  const matches = (wanted: string[] | undefined, is: (text: string) => boolean) =>
    wanted === undefined || wanted.some(is);
  const found = [...state.containers.values()].filter(
    (container) =>
      (isTrue(query.get('all')) || status !== undefined || container.status === 'running') &&
      hasLabels(container.body.Labels ?? {}, label) &&
      matches(name, (text) => new RegExp(text).test(`/${container.name}`)) &&
      matches(id, (text) => container.id.startsWith(text)) &&
      matches(status, (text) => container.status === text),
  );
  return { status: 200, json: found.reverse().map((container) => summarize(state, container)) };
}

export function inspectContainer(state: DaemonState, container: FakeContainer): Reply {
  const { body, program, health } = container;
  const command = [...(body.Entrypoint ?? []), ...(body.Cmd ?? [])];
  const State = {
    Status: container.status,
    Running: container.status === 'running',
    Paused: false,
    Restarting: false,
    OOMKilled: container.outOfMemory,
    Dead: false,
    Pid: program?.pid ?? 0,
    ExitCode: container.exitCode,
    Error: container.error,
    StartedAt: container.startedAt,
    FinishedAt: container.finishedAt,
    ...(health === null ? {} : { Health: { Status: health.status, FailingStreak: health.failingStreak, Log: [] } }),
  };
  const json = {
    Id: container.id,
    Created: container.created,
    Path: command[0] ?? '',
    Args: command.slice(1),
    State,
    Image: findImage(state, body.Image)?.id ?? '',
    Name: `/${container.name}`,
    RestartCount: 0,
    Driver: 'overlay2',
    Platform: 'linux',
    HostConfig: { ...body.HostConfig },
    Mounts: mounts(state, container),
    Config: { ...body, HostConfig: undefined, NetworkingConfig: undefined },
    NetworkSettings: { Networks: networks(state, container) },
  };
  return { status: 200, json };
}

function summarize(state: DaemonState, container: FakeContainer) {
  const { body } = container;
  return {
    Id: container.id,
    Names: [`/${container.name}`],
    Image: body.Image,
    ImageID: findImage(state, body.Image)?.id ?? '',
    Command: [...(body.Entrypoint ?? []), ...(body.Cmd ?? [])].join(' '),
    Created: Math.floor(Date.parse(container.created) / 1000),
    Ports: [],
    Labels: body.Labels ?? {},
    State: container.status,
    Status: statusText(container),
    HostConfig: { NetworkMode: body.HostConfig?.NetworkMode ?? 'default' },
    NetworkSettings: { Networks: networks(state, container) },
    Mounts: mounts(state, container),
  };
}

function statusText({ status, exitCode, health }: FakeContainer): string {
  if (status === 'created') return 'Created';
  if (status === 'exited') return `Exited (${exitCode}) 1 second ago`;
  if (health === null) return 'Up 1 second';
  return `Up 1 second (${health.status === 'starting' ? 'health: starting' : health.status})`;
}

function mounts(state: DaemonState, { body }: FakeContainer) {
  return (body.HostConfig?.Mounts ?? []).map(({ Type, Source = '', Target, ReadOnly = false }) => ({
    Type,
    ...(Type === 'volume' ? { Name: Source, Driver: 'local' } : {}),
    Source: state.volumes.get(Source)?.directory ?? Source,
    Destination: Target,
    Mode: Type === 'volume' ? 'z' : '',
    RW: !ReadOnly,
    Propagation: '',
  }));
}

function networks(state: DaemonState, { networks: joined, status }: FakeContainer) {
  const known = [...state.networks.values()];
  return Object.fromEntries(
    [...joined].map(([name, { aliases, address }]) => {
      const network = known.find((other) => other.name === name);
      const isUp = status === 'running';
      return [
        name,
        {
          Aliases: aliases,
          NetworkID: network?.id ?? '',
          IPAddress: isUp ? address : '',
          Gateway: isUp ? (network?.gateway ?? '') : '',
          IPPrefixLen: isUp ? Number(network?.subnet.split('/')[1] ?? 0) : 0,
        },
      ];
    }),
  );
}

/** The container's own variables go before those of its image. */
function mergeEnv(ofImage: readonly string[], own: readonly string[]): string[] {
  const named = new Set(own.map((text) => text.split('=')[0]));
  return [...own, ...ofImage.filter((text) => !named.has(text.split('=')[0]))];
}
