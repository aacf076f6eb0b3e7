import { emitContainerEvent } from './events.ts';
import type { Host } from './lifecycle.ts';
import { type FakeContainer, tellListeners } from './state.ts';

/** Checks again and again, each time an interval after the last check has ended; failures within the start period count for nothing. */
export function watchHealth({ state, healthInterval }: Host, container: FakeContainer): void {
  const check = container.body.Healthcheck;
  const [kind, ...command] = check?.Test ?? [];
  container.health = null;
  container.endHealth = () => {};
  if (kind !== 'CMD' && kind !== 'CMD-SHELL') return;

  const health: NonNullable<FakeContainer['health']> = { status: 'starting', failingStreak: 0 };
  const interval = healthInterval ?? (check?.Interval || 30e9) / 1e6;
  const graceEnds = Date.now() + (check?.StartPeriod ?? 0) / 1e6;
  let isOver = false;
  let timer = setTimeout(look, interval);
  container.health = health;
  container.endHealth = () => {
    isOver = true;
    clearTimeout(timer);
  };

  async function look(): Promise<void> {
    const words = kind === 'CMD-SHELL' ? ['/bin/sh', '-c', command.join(' ')] : command;
    const succeeded = await (container.program?.check(words) ?? Promise.resolve(false));
    if (isOver) return;
    const before = health.status;
    if (succeeded) {
      health.status = 'healthy';
      health.failingStreak = 0;
    } else if (Date.now() >= graceEnds || before !== 'starting') {
      health.failingStreak += 1;
      if (health.failingStreak >= (check?.Retries || 3)) health.status = 'unhealthy';
    }
    // The daemon sees no check while it is down.
    if (health.status !== before) {
      emitContainerEvent(state, container, `health_status: ${health.status}`);
      tellListeners(container);
    }
    timer = setTimeout(look, interval);
  }
}
