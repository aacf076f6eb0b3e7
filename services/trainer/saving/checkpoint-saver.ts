import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckpointCommit } from '../../contracts/checkpoint.ts';
import { AttemptClosed } from '../agent/attempt-control.ts';
import type { CheckpointSnapshot } from '../checkpoint/snapshot.ts';
import { explainFailure, TrainerError } from '../failure.ts';
import { checkpointSaved } from '../log/messages.ts';
import type { Session } from '../session.ts';

/** Writes and commits checkpoints beside training, at most one at a time. */
export interface CheckpointSaver {
  /** Step of the newest checkpoint that was handed over, or that training started from. */
  readonly lastSavedStep: number | null;
  /** Hands a snapshot over: its tensors are gone here afterwards. Waits for the one before, so training is never more than one save ahead. */
  save(snapshot: CheckpointSnapshot, commit: Omit<CheckpointCommit, 'files'>): Promise<void>;
  /**
   * Waits until all is committed.
   * @throws TrainerError when a save that must not be missing (`final` or `stop`) failed.
   */
  settle(): Promise<void>;
}

/** What of a session saving needs. */
type SavingSession = Pick<Session, 'saveWorker' | 'control' | 'logs' | 'workspace' | 'now' | 'wall'> & {
  readonly records: Pick<Session['records'], 'append'>;
};

/** A save that training cannot go on after is worth another try. */
const TRIES = 3;
const BETWEEN_TRIES_MS = 1000;
/** Without a deadline, how long a stopping attempt tries to commit. */
const GRACE_MS = 20_000;
/** Left for the last records and the exit. */
const MARGIN_MS = 1500;

/** @param startedFrom step of the checkpoint that this attempt resumed from */
export function createCheckpointSaver(session: SavingSession, startedFrom: number | null): CheckpointSaver {
  const { saveWorker, control, records, logs, workspace, now } = session;
  const gaveUp = giveUpSignal(session);
  const onGiveUp = () => saveWorker.giveUp((gaveUp.reason as Error).message);
  if (gaveUp.aborted) onGiveUp();
  else gaveUp.addEventListener('abort', onGiveUp, { once: true });
  let lastSavedStep = startedFrom;
  let running: Promise<void> = Promise.resolve();
  let missing: TrainerError | null = null;

  async function save(snapshot: CheckpointSnapshot, commit: Omit<CheckpointCommit, 'files'>): Promise<void> {
    lastSavedStep = commit.step;
    await running;
    saveWorker.hold(snapshot);
    running = commitWithRetries(commit).finally(saveWorker.drop);
  }

  async function commitWithRetries(commit: Omit<CheckpointCommit, 'files'>): Promise<void> {
    const needed = commit.purposes.includes('final') || commit.purposes.includes('stop');
    for (let tries = 1; ; tries++) {
      try {
        return await writeAndCommit(commit);
      } catch (error) {
        if (control.closed.aborted) return;
        const last = !needed || tries === TRIES || gaveUp.aborted;
        reportFailure(error, commit.step, last);
        if (!last) await sleep(BETWEEN_TRIES_MS, undefined, { signal: gaveUp }).catch(() => undefined);
        if (!last) continue;
        if (lastSavedStep === commit.step) lastSavedStep = null;
        if (needed) missing = lostSave(error, commit.step);
        return;
      }
    }
  }

  async function writeAndCommit(commit: Omit<CheckpointCommit, 'files'>): Promise<void> {
    const startedAt = now();
    await saveWorker.save(path.join(workspace, 'checkpoints'), commit);
    const seconds = (now() - startedAt) / 1000;
    logs.training.info(checkpointSaved(commit.step), { step: commit.step, purposes: commit.purposes, seconds });
    missing = null;
  }

  function reportFailure(error: unknown, step: number, last: boolean): void {
    const { reason, message, remedy } = explainFailure(error);
    records.append([
      {
        kind: 'event',
        name: 'save_failed',
        message: `checkpoint-${step} could not be saved: ${message}`,
        reason,
        remedy,
        data: { step, final_try: last },
      },
    ]);
    logs.training.error(`Checkpoint not saved: checkpoint-${step} | ${message} | ${remedy}`, { step });
  }

  return {
    get lastSavedStep() {
      return lastSavedStep;
    },
    save,
    async settle() {
      await running;
      if (control.closed.aborted) throw new AttemptClosed();
      if (missing) throw missing;
    },
  };
}

/** Aborted when waiting for the control plane has no point any more. */
function giveUpSignal({ control, wall }: Pick<Session, 'control' | 'wall'>): AbortSignal {
  const giveUp = new AbortController();
  const onStop = () => {
    const wait = control.deadline === null ? GRACE_MS : Math.max(0, control.deadline - wall() - MARGIN_MS);
    setTimeout(() => giveUp.abort(new Error('the deadline for the last checkpoint passed')), wait).unref();
  };
  if (control.stopping.aborted) onStop();
  else control.stopping.addEventListener('abort', onStop, { once: true });
  if (control.closed.aborted) giveUp.abort(new AttemptClosed());
  else control.closed.addEventListener('abort', () => giveUp.abort(new AttemptClosed()), { once: true });
  return giveUp.signal;
}

function lostSave(error: unknown, step: number): TrainerError {
  const { reason, message, remedy } = explainFailure(error);
  return new TrainerError(reason, `The last checkpoint, checkpoint-${step}, could not be saved: ${message}`, remedy, {
    cause: error,
  });
}
