import { endContainer } from './lifecycle.ts';
import { addLogLine } from './logs.ts';
import { type DaemonState, type FakeContainer, findContainer, tellListeners } from './state.ts';

/** What a daemon finds of its containers at its start, and does to them. */
export async function takeUp(
  state: DaemonState,
  { liveRestore, rebooted, grace }: { liveRestore: boolean; rebooted: boolean; grace: number },
): Promise<void> {
  state.events.length = 0;
  state.eventListeners.clear();
  const running = [...state.containers.values()].filter(({ status }) => status === 'running');
  // Nobody is left who knows how they ended.
  if (rebooted) for (const container of running) endWith(state, container, 255);
  state.isUp = true;
  for (const container of state.containers.values()) {
    const unread = container.unread.splice(0);
    // The pipes of those that have ended are gone; what stood in the others is read now, and dated so.
    if (container.status !== 'running') continue;
    for (const { stream, text } of unread) addLogLine(state, container, stream, text);
    tellListeners(container);
  }
  if (liveRestore) return;
  const left = running.filter(({ status }) => status === 'running');
  await Promise.all(left.map((container) => stop(container, grace)));
}

/** A container is gone, with its program, and nobody is told. */
export function lose(state: DaemonState, key: string): void {
  const container = findContainer(state, key);
  const wasUp = state.isUp;
  state.isUp = false;
  // Also those that wait for its end.
  container.listeners.clear();
  if (container.status === 'running') endWith(state, container, 137);
  state.containers.delete(container.id);
  state.isUp = wasUp;
}

/** Ends what still runs, for the end of a test. */
export async function endAll(state: DaemonState): Promise<void> {
  const running = [...state.containers.values()].filter(({ status }) => status === 'running');
  await Promise.all(running.map((container) => stop(container, 0)));
}

/** The container is over at once; its program ends unheard. */
function endWith(state: DaemonState, container: FakeContainer, code: number): void {
  const program = container.program;
  endContainer(state, container, code, false);
  program?.signal('KILL');
}

async function stop(container: FakeContainer, grace: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => container.program?.signal('KILL'), grace);
    const look = () => {
      if (container.status === 'running') return;
      clearTimeout(timer);
      container.listeners.delete(look);
      resolve();
    };
    container.listeners.add(look);
    if (grace > 0) container.program?.signal('TERM');
    look();
  });
  tellListeners(container);
}
