import { emitEvent } from './events.ts';
import { type DockerRequest, noContent, type Reply, readFilters, readJson } from './http.ts';
import {
  type DaemonState,
  type EndpointBody,
  type FakeContainer,
  type FakeNetwork,
  findContainer,
  hasLabels,
  newId,
  nowNano,
  Refusal,
  rfc3339Nano,
} from './state.ts';

/** Those that every daemon has. */
export const builtIn: ReadonlySet<string> = new Set(['bridge', 'host', 'none']);

interface NetworkBody {
  Name: string;
  CheckDuplicate?: boolean;
  Internal?: boolean;
  Labels?: Record<string, string>;
  IPAM?: { Config?: { Subnet?: string; Gateway?: string }[] };
}

export function findNetwork(state: DaemonState, key: string): FakeNetwork {
  const wanted = key === 'default' ? 'bridge' : key;
  const found = [...state.networks.values()].find(({ id, name }) => id === wanted || name === wanted);
  if (found === undefined) throw new Refusal(404, `network ${key} not found`);
  return found;
}

export async function createNetwork(state: DaemonState, request: DockerRequest): Promise<Reply> {
  const body = await readJson<NetworkBody>(request);
  const isTaken = [...state.networks.values()].some(({ name }) => name === body.Name);
  if (body.CheckDuplicate === true && isTaken) throw new Refusal(409, `network with name ${body.Name} already exists`);
  const given = body.IPAM?.Config?.[0];
  const subnet = given?.Subnet ?? freeSubnet(state);
  for (const other of state.networks.values()) {
    if (overlap(subnet, other.subnet)) throw new Refusal(403, 'Pool overlaps with other one on this address space');
  }
  const gateway = given?.Gateway ?? (given?.Subnet === undefined ? address(subnet, 1) : null);
  const network = addNetwork(state, body.Name, { subnet, gateway, internal: body.Internal, labels: body.Labels });
  emitEvent(state, 'network', 'create', network.id, { name: network.name, type: 'bridge' });
  return { status: 201, json: { Id: network.id, Warning: '' } };
}

export function addNetwork(
  state: DaemonState,
  name: string,
  given: {
    subnet: string;
    gateway: string | null;
    internal?: boolean | undefined;
    labels?: Record<string, string> | undefined;
  },
): FakeNetwork {
  const { subnet, gateway, internal = false, labels = {} } = given;
  const network = { id: newId(), name, created: rfc3339Nano(nowNano()), internal, labels, subnet, gateway };
  state.networks.set(network.id, network);
  return network;
}

export function listNetworks(state: DaemonState, { query }: DockerRequest): Reply {
  const { label, name, id } = readFilters(query);
  const matches = (wanted: string[] | undefined, value: string) =>
    wanted === undefined || wanted.some((text) => value.includes(text));
  const found = [...state.networks.values()].filter(
    (network) => hasLabels(network.labels, label) && matches(name, network.name) && matches(id, network.id),
  );
  return { status: 200, json: found.map((network) => describe(state, network, false)) };
}

export function inspectNetwork(state: DaemonState, key: string): Reply {
  return { status: 200, json: describe(state, findNetwork(state, key), true) };
}

export async function connectNetwork(state: DaemonState, key: string, request: DockerRequest): Promise<Reply> {
  const body = await readJson<{ Container: string; EndpointConfig?: EndpointBody | null }>(request);
  const container = findContainer(state, body.Container);
  const known = [...state.networks.values()].find(({ id, name }) => id === key || name === key);
  if (container.status === 'running') {
    const network = findNetwork(state, key);
    if (container.networks.has(network.name)) {
      throw new Refusal(403, `endpoint with name ${container.name} already exists in network ${network.name}`);
    }
    emitEvent(state, 'network', 'connect', network.id, { container: container.id, name: network.name, type: 'bridge' });
  }
  // Whether the network is there is looked at only when the container starts.
  attach(state, container, known?.name ?? key, body.EndpointConfig ?? {});
  return { status: 200 };
}

export async function disconnectNetwork(state: DaemonState, key: string, request: DockerRequest): Promise<Reply> {
  const { Container } = await readJson<{ Container: string }>(request);
  const container = findContainer(state, Container);
  const { id, name } = findNetwork(state, key);
  if (!container.networks.delete(name)) {
    throw new Refusal(404, `container ${container.id} is not connected to network ${key}`);
  }
  if (container.status === 'running')
    emitEvent(state, 'network', 'disconnect', id, { container: container.id, name, type: 'bridge' });
  return { status: 200 };
}

export function removeNetwork(state: DaemonState, key: string): Reply {
  const network = findNetwork(state, key);
  if (builtIn.has(network.name)) {
    throw new Refusal(403, `${network.name} is a pre-defined network and cannot be removed`);
  }
  if (Object.keys(endpoints(state, network)).length > 0) {
    const where = `network ${network.name} id ${network.id}`;
    throw new Refusal(403, `error while removing network: ${where} has active endpoints`);
  }
  state.networks.delete(network.id);
  emitEvent(state, 'network', 'destroy', network.id, { name: network.name, type: 'bridge' });
  return noContent;
}

export function attach(state: DaemonState, container: FakeContainer, name: string, body: EndpointBody): void {
  const network = [...state.networks.values()].find((other) => other.name === name);
  const taken = [...state.containers.values()].flatMap((other) => other.networks.get(name)?.address ?? []);
  let last = 2;
  while (network !== undefined && taken.includes(address(network.subnet, last))) last += 1;
  const aliases = [...(body.Aliases ?? []), container.id.slice(0, 12)];
  container.networks.set(name, { aliases, address: network === undefined ? '' : address(network.subnet, last) });
}

/** Only containers that run have endpoints. */
function endpoints(state: DaemonState, { name, subnet }: FakeNetwork) {
  const running = [...state.containers.values()].filter(
    (container) => container.status === 'running' && container.networks.has(name),
  );
  return Object.fromEntries(
    running.map((container) => [
      container.id,
      { Name: container.name, IPv4Address: `${container.networks.get(name)!.address}/${subnet.split('/')[1]}` },
    ]),
  );
}

function describe(state: DaemonState, network: FakeNetwork, withContainers: boolean) {
  const { id, name, created, internal, labels, subnet, gateway } = network;
  return {
    Name: name,
    Id: id,
    Created: created,
    Scope: 'local',
    Driver: name === 'none' ? 'null' : name === 'host' ? 'host' : 'bridge',
    EnableIPv6: false,
    IPAM: {
      Driver: 'default',
      Options: null,
      Config: [{ Subnet: subnet, ...(gateway === null ? {} : { Gateway: gateway }) }],
    },
    Internal: internal,
    Attachable: false,
    Ingress: false,
    Containers: withContainers ? endpoints(state, network) : {},
    Options: {},
    Labels: labels,
  };
}

function freeSubnet(state: DaemonState): string {
  for (let second = 18; second < 32; second += 1) {
    const subnet = `172.${second}.0.0/16`;
    if (![...state.networks.values()].some((other) => overlap(subnet, other.subnet))) return subnet;
  }
  throw new Refusal(
    404,
    'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network',
  );
}

/** The n-th address of a subnet. */
export function address(subnet: string, n: number): string {
  const value = toNumber(subnet) + n;
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

function overlap(one: string, other: string): boolean {
  if (one === '' || other === '') return false;
  const bits = Math.min(...[one, other].map((subnet) => Number(subnet.split('/')[1] ?? 32)));
  const size = 2 ** (32 - bits);
  return Math.floor(toNumber(one) / size) === Math.floor(toNumber(other) / size);
}

function toNumber(subnet: string): number {
  return subnet
    .split('/')[0]!
    .split('.')
    .reduce((sum, part) => sum * 256 + Number(part), 0);
}
