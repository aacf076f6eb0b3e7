import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { emitEvent } from './events.ts';
import { type DockerRequest, isTrue, noContent, type Reply, readFilters, readJson } from './http.ts';
import { type DaemonState, type FakeVolume, hasLabels, newId, Refusal } from './state.ts';

/** Gives the one that is there when it is; the event is told either way. */
export function ensureVolume(
  state: DaemonState,
  given: string,
  labels: Record<string, string> | undefined,
): FakeVolume {
  const name = given === '' ? newId() : given;
  let volume = state.volumes.get(name);
  if (volume === undefined) {
    const directory = join(state.directory, 'volumes', name);
    mkdirSync(directory, { recursive: true });
    volume = { name, created: `${new Date().toISOString().slice(0, 19)}Z`, labels: labels ?? {}, directory };
    state.volumes.set(name, volume);
  }
  emitEvent(state, 'volume', 'create', name, { driver: 'local' });
  return volume;
}

export async function createVolume(state: DaemonState, request: DockerRequest): Promise<Reply> {
  const { Name = '', Labels } = await readJson<{ Name?: string; Labels?: Record<string, string> }>(request);
  return { status: 201, json: describe(ensureVolume(state, Name, Labels)) };
}

export function listVolumes(state: DaemonState, { query }: DockerRequest): Reply {
  const { label, name } = readFilters(query);
  const found = [...state.volumes.values()].filter(
    (volume) =>
      hasLabels(volume.labels, label) && (name === undefined || name.some((text) => volume.name.includes(text))),
  );
  return { status: 200, json: { Volumes: found.map(describe), Warnings: null } };
}

export function inspectVolume(state: DaemonState, name: string): Reply {
  return { status: 200, json: describe(find(state, name)) };
}

export function removeVolume(state: DaemonState, name: string, { query }: DockerRequest): Reply {
  if (!state.volumes.has(name) && isTrue(query.get('force'))) return noContent;
  const volume = find(state, name);
  const users = [...state.containers.values()].filter(({ body }) =>
    body.HostConfig?.Mounts?.some(({ Type, Source }) => Type === 'volume' && Source === name),
  );
  if (users.length > 0) {
    throw new Refusal(409, `remove ${name}: volume is in use - [${users.map(({ id }) => id).join(', ')}]`);
  }
  rmSync(volume.directory, { recursive: true, force: true });
  state.volumes.delete(name);
  emitEvent(state, 'volume', 'destroy', name, { driver: 'local' });
  return noContent;
}

function find(state: DaemonState, name: string): FakeVolume {
  const volume = state.volumes.get(name);
  if (volume === undefined) throw new Refusal(404, `get ${name}: no such volume`);
  return volume;
}

function describe({ name, created, labels, directory }: FakeVolume) {
  return {
    CreatedAt: created,
    Driver: 'local',
    Labels: labels,
    Mountpoint: directory,
    Name: name,
    Options: null,
    Scope: 'local',
  };
}
