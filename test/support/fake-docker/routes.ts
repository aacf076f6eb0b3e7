import { getArchive, putArchive } from './archive.ts';
import { createContainer, inspectContainer, listContainers } from './containers.ts';
import { type DockerEvent, streamEvents } from './events.ts';
import type { DockerRequest, Reply } from './http.ts';
import { inspectImage, pullImage, type RegistryImage } from './images.ts';
import { infoReply, versionReply } from './info.ts';
import { type Host, killContainer, removeContainer, startContainer, waitForContainer } from './lifecycle.ts';
import { streamLogs } from './logs.ts';
import {
  connectNetwork,
  createNetwork,
  disconnectNetwork,
  inspectNetwork,
  listNetworks,
  removeNetwork,
} from './networks.ts';
import { findContainer, Refusal } from './state.ts';
import { createVolume, inspectVolume, listVolumes, removeVolume } from './volumes.ts';

export interface RouteParts {
  host: Host;
  registry: Map<string, RegistryImage>;
  info: () => Parameters<typeof infoReply>[1];
  /** New for each stream of events. */
  tamperer: () => (events: DockerEvent[]) => DockerEvent[];
}

type Handler = (request: DockerRequest, key: string) => Reply | Promise<Reply>;

/** @returns what answers a request. @throws Refusal for what the fake does not know */
export function router({ host, registry, info, tamperer }: RouteParts): (request: DockerRequest) => Promise<Reply> {
  const { state } = host;
  const container = (key: string) => findContainer(state, key);
  const routes: Record<string, Handler> = {
    'GET /_ping': () => ({ status: 200, headers: { 'api-version': '1.41' }, json: 'OK' }),
    'HEAD /_ping': () => ({ status: 200, headers: { 'api-version': '1.41' } }),
    'GET /version': versionReply,
    'GET /info': () => infoReply(state, info()),
    'GET /events': (request) => streamEvents(state, request, tamperer()),

    'GET /containers/json': (request) => listContainers(state, request),
    'POST /containers/create': (request) => createContainer(state, request),
    'GET /containers/*/json': (_request, key) => inspectContainer(state, container(key)),
    'POST /containers/*/start': (_request, key) => startContainer(host, container(key)),
    'POST /containers/*/kill': (request, key) => killContainer(host, container(key), key, request.query),
    'POST /containers/*/wait': (request, key) => waitForContainer(container(key), request),
    'GET /containers/*/logs': (request, key) => streamLogs(container(key), request),
    'PUT /containers/*/archive': (request, key) => putArchive(state, container(key), request),
    'GET /containers/*/archive': (request, key) => getArchive(state, container(key), request),
    'HEAD /containers/*/archive': (request, key) => getArchive(state, container(key), request),
    'DELETE /containers/*': (request, key) => removeContainer(host, container(key), request.query),

    'GET /networks': (request) => listNetworks(state, request),
    'POST /networks/create': (request) => createNetwork(state, request),
    'GET /networks/*': (_request, key) => inspectNetwork(state, key),
    'POST /networks/*/connect': (request, key) => connectNetwork(state, key, request),
    'POST /networks/*/disconnect': (request, key) => disconnectNetwork(state, key, request),
    'DELETE /networks/*': (_request, key) => removeNetwork(state, key),

    'GET /volumes': (request) => listVolumes(state, request),
    'POST /volumes/create': (request) => createVolume(state, request),
    'GET /volumes/*': (_request, key) => inspectVolume(state, key),
    'DELETE /volumes/*': (request, key) => removeVolume(state, key, request),

    // The names of images have slashes.
    'GET /images/**/json': (_request, key) => inspectImage(state, key),
    'POST /images/create': (request) => pullImage(state, registry, request),
  };
  const patterns = Object.entries(routes).map(([route, handle]) => {
    const text = route.replace('**', '(.+)').replace('*', '([^/]+)');
    return { pattern: new RegExp(`^${text}$`), handle };
  });
  // Fixed paths go before those with a name in them.
  patterns.sort((a, b) => Number(a.pattern.source.includes('(')) - Number(b.pattern.source.includes('(')));

  return async (request) => {
    for (const { pattern, handle } of patterns) {
      const found = pattern.exec(`${request.method} ${request.path}`);
      if (found !== null) return handle(request, decodeURIComponent(found[1] ?? ''));
    }
    throw new Refusal(404, 'page not found');
  };
}
