import type { DockerRequest, Reply } from './http.ts';
import { readFilters } from './http.ts';
import { type DaemonState, type FakeContainer, type Filters, hasLabels, nowNano } from './state.ts';

export interface DockerEvent {
  status?: string;
  id?: string;
  from?: string;
  Type: 'container' | 'network' | 'volume' | 'image';
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: 'local';
  time: number;
  timeNano: number;
}

/** As many as a real daemon remembers. */
const KEPT = 256;

export function emitContainerEvent(
  state: DaemonState,
  container: FakeContainer,
  action: string,
  attributes: Record<string, string> = {},
): void {
  const own = { ...container.body.Labels, image: container.body.Image, name: container.name };
  const status = { status: action, id: container.id, from: container.body.Image };
  emit(state, status, 'container', action, container.id, { ...attributes, ...own });
}

export function emitEvent(
  state: DaemonState,
  type: 'network' | 'volume' | 'image',
  action: string,
  id: string,
  attributes: Record<string, string>,
): void {
  emit(state, {}, type, action, id, attributes);
}

function emit(
  state: DaemonState,
  status: Partial<DockerEvent>,
  Type: DockerEvent['Type'],
  Action: string,
  ID: string,
  Attributes: Record<string, string>,
): void {
  // Nobody is told what happens while the daemon is down.
  if (!state.isUp) return;
  const nano = nowNano();
  const times = { time: Number(nano / 1_000_000_000n), timeNano: Number(nano) };
  const event: DockerEvent = { ...status, Type, Action, Actor: { ID, Attributes }, scope: 'local', ...times };
  state.events.push(event);
  if (state.events.length > KEPT) state.events.shift();
  for (const listener of [...state.eventListeners]) listener(event);
}

/** `GET /events`: those since a time, then those that come, until `until` if there is one. */
export function streamEvents(
  state: DaemonState,
  request: DockerRequest,
  tamper: (events: DockerEvent[]) => DockerEvent[],
): Reply {
  const filters = readFilters(request.query);
  const since = request.query.get('since');
  const until = request.query.get('until');
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    stream: async (write, gone) => {
      const send = (events: DockerEvent[]) => {
        for (const event of tamper(events)) write(Buffer.from(`${JSON.stringify(event)}\n`));
      };
      const past = since === null ? [] : state.events.filter((event) => event.timeNano >= Number(since) * 1e9);
      send(past.filter((event) => isWanted(event, filters)));
      const milliseconds = until === null ? null : Number(until) * 1000 - Date.now();
      if (gone.aborted || (milliseconds !== null && milliseconds <= 0)) return;
      await new Promise<void>((resolve) => {
        const listener = (event: DockerEvent) => {
          if (isWanted(event, filters)) send([event]);
        };
        const timer = milliseconds === null ? undefined : setTimeout(end, milliseconds);
        function end() {
          clearTimeout(timer);
          state.eventListeners.delete(listener);
          resolve();
        }
        state.eventListeners.add(listener);
        gone.addEventListener('abort', end, { once: true });
      });
    },
  };
}

function isWanted(event: DockerEvent, filters: Filters): boolean {
  const isIn = (key: string, ...values: string[]) =>
    filters[key] === undefined || filters[key].some((wanted) => values.some((value) => value === wanted));
  const action = event.Action;
  return (
    isIn('type', event.Type) &&
    isIn('event', action, action.split(':')[0]!) &&
    isIn('container', event.Actor.ID, event.Actor.Attributes['name'] ?? '') &&
    hasLabels(event.Actor.Attributes, filters['label'])
  );
}
