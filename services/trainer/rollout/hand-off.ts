import { setTimeout as sleep } from 'node:timers/promises';
import { withDeadline } from '../deadline.ts';
import { TrainerError } from '../failure.ts';
import type { ComponentLog } from '../log/component-logs.ts';
import { InferenceError } from './inference-error.ts';
import type { InferenceServer } from './inference-server.ts';

/** The steps by which GPUs that both roles share go to the trainer and back, in their order. */
export const handOffSteps = ['sleep', 'train', 'wake', 'load', 'check'] as const;
export type HandOffStep = (typeof handOffSteps)[number];

const titles: Readonly<Record<HandOffStep, string>> = {
  sleep: 'server asleep',
  train: 'trained',
  wake: 'server awake',
  load: 'adapter loaded',
  check: 'adapter checked',
};

/** Who has the GPUs. Where they are not shared, nothing happens. */
export interface HandOff {
  /** Puts the server to sleep; it has dropped what it holds of the GPUs when this returns. */
  toTrainer(signal: AbortSignal): Promise<void>;
  /** Wakes the server up. @returns whether it was asleep, and may have lost its adapters */
  toServer(signal: AbortSignal): Promise<boolean>;
  /**
   * Does the work within the step's deadline; with its line in the log when there is a hand-off going on, and the profile's deadline. Without one the check has none:
   * the server does it in its turn with the rollouts, under the time limit of requests, which knows whether it gets on.
   */
  timed<T>(
    handingOff: boolean,
    step: HandOffStep,
    signal: AbortSignal,
    work: (limit: AbortSignal) => Promise<T>,
  ): Promise<T>;
}

const ASK_EVERY_MS = 100;
/** For a step of a server that has GPUs of its own: minutes for a whole model, seconds for an adapter. */
const LONGEST_SECONDS = 900;

/**
 * @param mode `none`: the roles share no GPU
 * @param deadlineSeconds for each step but the training; a server that is started again takes minutes, which have a deadline of their own and do not count
 * @param now milliseconds that only count on
 */
export function createHandOff(params: {
  readonly mode: 'none' | 'sleep';
  readonly deadlineSeconds: number;
  readonly server: InferenceServer;
  readonly log: Pick<ComponentLog, 'info'>;
  readonly now: () => number;
}): HandOff {
  const { mode, deadlineSeconds, server, log, now } = params;
  /** Since when the trainer has the GPUs; null while the server has them. */
  let trainingSince: number | null = null;

  function report(step: HandOffStep, startedAt: number): void {
    const seconds = (now() - startedAt) / 1000;
    const number = handOffSteps.indexOf(step) + 1;
    const message = `Hand-off ${number}/${handOffSteps.length}: ${titles[step]} | time=${seconds.toFixed(1)}s`;
    log.info(message, { hand_off: step, seconds });
  }

  const timed: HandOff['timed'] = async (handingOff, step, signal, work) => {
    const startedAt = now();
    if (!handingOff && step === 'check') return work(signal);
    const seconds = handingOff ? deadlineSeconds : LONGEST_SECONDS;
    try {
      const result = await withDeadline(seconds * 1000, signal, work, server.lostMs);
      if (handingOff) report(step, startedAt);
      return result;
    } catch (error) {
      signal.throwIfAborted();
      throw handingOff ? failed(step, seconds, error) : tooLate(step, seconds, error);
    }
  };

  /** Asks the server to go to sleep or wake up, and until it says that it has. One that was restarted meanwhile is awake. */
  function bring(asleep: boolean, limit: AbortSignal): Promise<void> {
    return server.call(async (client) => {
      if ((await client.isSleeping(limit)) !== asleep) await (asleep ? client.sleep(limit) : client.wakeUp(limit));
      while ((await client.isSleeping(limit)) !== asleep) await sleep(ASK_EVERY_MS, undefined, { signal: limit });
    }, limit);
  }

  return {
    timed,
    async toTrainer(signal) {
      if (mode === 'none' || trainingSince !== null) return;
      await timed(true, 'sleep', signal, (limit) => bring(true, limit));
      trainingSince = now();
    },
    async toServer(signal) {
      if (trainingSince === null) return false;
      report('train', trainingSince);
      await timed(true, 'wake', signal, (limit) => bring(false, limit));
      trainingSince = null;
      return true;
    },
  };
}

const verbs = {
  sleep: 'go to sleep',
  train: 'train',
  wake: 'wake up',
  load: 'load the adapter',
  check: 'answer the check of its adapter',
} as const satisfies Record<HandOffStep, string>;

function failed(step: HandOffStep, seconds: number, cause: unknown): unknown {
  const cannot = cause instanceof TrainerError && cause.cause instanceof InferenceError;
  if (cannot && (step === 'sleep' || step === 'wake')) {
    return new TrainerError(
      'inference_failed',
      `The server cannot ${verbs[step]}, so the GPUs cannot be handed over: ${cause.message}`,
      'Start vLLM with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1, or choose a split profile.',
      { cause },
    );
  }
  if (!isLate(cause)) return cause;
  return new TrainerError(
    'vllm_unhealthy',
    `The server did not ${verbs[step]} within ${seconds} s, so the GPUs could not be handed over.`,
    'Look at what it printed (TANDEM_HOME/output/<run>/); raise deadlines.hand_off of the GPU profile, lower inference.vllm.gpu_memory_utilization, or choose a split profile.',
    { cause },
  );
}

function tooLate(step: HandOffStep, seconds: number, cause: unknown): unknown {
  if (!isLate(cause)) return cause;
  return new TrainerError(
    'vllm_unhealthy',
    `The server did not ${verbs[step]} within ${seconds} s.`,
    'Look at what it printed (TANDEM_HOME/output/<run>/), and whether the disk that the adapters are on is slow; then resume.',
    { cause },
  );
}

function isLate(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}
