import { Worker } from 'node:worker_threads';
import type { CheckpointCommit } from '../../contracts/checkpoint.ts';
import { programFile } from '../../platform/program-file.ts';
import type { AgentConnection } from '../agent/agent-client.ts';
import type { CheckpointSnapshot } from '../checkpoint/snapshot.ts';
import { explainFailure, TrainerError } from '../failure.ts';
import type { SaveReply, SaveRequest, SaveWorkerData } from './save-messages.ts';
import { buffersOf } from './snapshot-buffers.ts';

/** A thread that writes, hashes and sends checkpoints; one for an attempt, started when it is first needed. One save at a time. */
export interface SaveWorker {
  /** Takes a snapshot over, for as many tries as it needs: its tensors are gone here afterwards. */
  hold(snapshot: CheckpointSnapshot): void;
  /**
   * Writes what it holds below `directory`, sends and commits it.
   * @throws TrainerError with the reason and the remedy.
   */
  save(directory: string, commit: Omit<CheckpointCommit, 'files'>): Promise<void>;
  /** Resolves when nothing is being saved, however that ended. */
  idle(): Promise<void>;
  /** Ends the waiting of this save and all later ones. */
  giveUp(why: string): void;
  /** Frees the snapshot. */
  drop(): void;
  close(): Promise<void>;
}

const PROGRAM = 'save-worker.main.js';

export function createSaveWorker(agent: AgentConnection): SaveWorker {
  let worker: Worker | null = null;
  let pending: { resolve: () => void; reject: (error: unknown) => void } | null = null;
  let saving: Promise<unknown> = Promise.resolve();
  let gaveUp: string | null = null;

  function start(): Worker {
    const workerData: SaveWorkerData = { agent };
    const started = new Worker(programFile(import.meta.url, PROGRAM), { workerData });
    // What is being saved is waited for by whoever asked for it, not by the process.
    started.unref();
    started.on('message', (reply: SaveReply) => settle(reply.kind === 'saved' ? null : failureOf(reply)));
    started.on('error', (error) => ended(started, explain(error)));
    started.on('exit', (code) => ended(started, crashed(`it ended with ${code}`)));
    if (gaveUp !== null) send(started, { kind: 'give_up', why: gaveUp });
    return started;
  }

  function settle(error: unknown): void {
    const waiting = pending;
    pending = null;
    if (error === null) waiting?.resolve();
    else waiting?.reject(error);
  }

  /** The snapshot is lost with it; the next one gets a new thread. */
  function ended(which: Worker, error: TrainerError): void {
    if (worker !== which) return;
    worker = null;
    settle(error);
  }

  return {
    hold(snapshot) {
      worker ??= start();
      send(worker, { kind: 'hold', snapshot }, buffersOf(snapshot));
    },
    save(directory, commit) {
      const saved = new Promise<void>((resolve, reject) => {
        if (worker === null) return reject(crashed('the snapshot went with it'));
        pending = { resolve, reject };
        send(worker, { kind: 'save', directory, commit });
      });
      saving = Promise.allSettled([saved]);
      return saved;
    },
    idle: async () => void (await saving),
    giveUp(why) {
      gaveUp ??= why;
      if (worker !== null) send(worker, { kind: 'give_up', why });
    },
    drop() {
      if (worker !== null) send(worker, { kind: 'drop' });
    },
    async close() {
      const closing = worker;
      worker = null;
      settle(crashed('the attempt is over'));
      await closing?.terminate();
    },
  };
}

function send(worker: Worker, request: SaveRequest, move: ArrayBuffer[] = []): void {
  worker.postMessage(request, move);
}

function failureOf({ reason, message, remedy, details }: Extract<SaveReply, { kind: 'failed' }>): TrainerError {
  return new TrainerError(reason, message, remedy, { cause: new Error(details) });
}

function explain(error: unknown): TrainerError {
  const { reason, message, remedy } = explainFailure(error);
  return new TrainerError(reason, message, remedy, { cause: error });
}

function crashed(how: string): TrainerError {
  return explain(new Error(`the thread that saves checkpoints is gone: ${how}`));
}
