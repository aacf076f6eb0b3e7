import type { WandbRun } from './sync-state.ts';

export interface RunWishes {
  /** Tandem's run. */
  run: string;
  /** Name for people. */
  name: string;
  project: string;
  /** The W&B run that the spec or WANDB_RUN_ID names. */
  pinned: string | null;
  mode: 'new' | 'same';
  forceNew: boolean;
}

/** Which W&B run an attempt is shown in. */
export type RunChoice = { kind: 'continue' } | { kind: 'open'; id: string; name: string; why: WandbRun['why'] };

/**
 * The first attempt that has something to show makes the W&B run; a later one is a resume. By default that is a new one of the same group, so that both
 * curves are there and meet at the step resumed from; `same`, and a pinned one, go on in the one there is. `forceNew` wins over both.
 */
export function chooseRun(attempt: number, current: WandbRun | null, wishes: RunWishes): RunChoice {
  const { run, name, pinned, mode, forceNew, project } = wishes;
  if (current === null) {
    return pinned === null
      ? { kind: 'open', id: run, name, why: 'first' }
      : { kind: 'open', id: pinned, name, why: 'pinned' };
  }
  const next = { id: `${run}-a${attempt}`, name: `${name}-a${attempt}` };
  if (forceNew) return { kind: 'open', ...next, why: 'forced' };
  if (pinned !== null && (pinned !== current.id || project !== current.project)) {
    return { kind: 'open', id: pinned, name, why: 'pinned' };
  }
  if ((pinned !== null || mode === 'same') && project === current.project) return { kind: 'continue' };
  return { kind: 'open', ...next, why: 'new' };
}
