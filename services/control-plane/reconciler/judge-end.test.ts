import { describe, expect, it } from 'vitest';
import { remedies, remedyOf } from '../../contracts/reason.ts';
import type { Outcome } from '../records/record-types.ts';
import type { ObservedRole } from '../runtimes/runtime.ts';
import { type EndFacts, judgeEnd } from './judge-end.ts';

const ended = (change: Partial<ObservedRole> = {}): ObservedRole => ({
  identity: { run: 'run-00000001', attempt: 1, role: 'trainer', start: 1 },
  state: 'exited',
  exitCode: 0,
  pid: 7,
  rebooted: false,
  ...change,
});
const killed = ended({ exitCode: 137 });
const finished: Outcome = {
  name: 'finished',
  reason: 'completed',
  message: 'All 200 steps done.',
  remedy: null,
  data: {},
};
const nan: Outcome = {
  name: 'failed',
  reason: 'nan_loss',
  message: 'The loss is NaN at step 7.',
  remedy: 'Lower training.learning_rate.',
  data: {},
};
const judge = (change: Partial<EndFacts>) =>
  judgeEnd({
    trainer: ended(),
    outcome: null,
    printed: '',
    known: null,
    nothingMissing: false,
    killed: false,
    latestStep: 40,
    stop: null,
    givenUp: null,
    recovery: { max_restarts: 3, max_restarts_on_errors: 0, backoff_seconds: 5 },
    restarts: 0,
    errorRestarts: 0,
    ...change,
  });

describe('judgeEnd', () => {
  it('succeeds when the trainer says that it has finished and ends with 0', () => {
    expect(judge({ outcome: finished }).run).toEqual({
      status: 'succeeded',
      reason: 'completed',
      message: 'All 200 steps done.',
    });
  });

  it('succeeds when the trainer was killed after its final checkpoint, and only then', () => {
    expect(judge({ outcome: finished, trainer: killed, nothingMissing: true }).run.status).toBe('succeeded');
    expect(judge({ outcome: finished, trainer: killed }).run.status).toBe('queued');
  });

  it('succeeds although a pause was asked for, when training was over first', () => {
    expect(judge({ outcome: finished, stop: 'pause' }).run.status).toBe('succeeded');
  });

  it.each([
    ['pause', 'paused'],
    ['cancel', 'cancelled'],
  ] as const)('follows a request to %s once the trainer has saved and ended', (stop, status) => {
    expect(judge({ stop })).toMatchObject({
      run: { status, reason: status, message: expect.stringContaining('checkpoint-40') },
      restart: null,
    });
  });

  describe('of a run that was asked for its GPUs', () => {
    const message = 'Preempted by run-00000009, which has a higher priority.';
    const givenUp = { reason: 'preempted', message } as const;

    it("puts it back into the queue on nobody's account, to go on from what it has saved", () => {
      expect(judge({ givenUp, restarts: 3 })).toEqual({
        attempt: { reason: 'preempted', message: `${message} It goes on from checkpoint-40 when its turn comes.` },
        run: {
          status: 'queued',
          reason: 'preempted',
          message: `${message} It goes on from checkpoint-40 when its turn comes.`,
        },
        restart: null,
      });
    });

    it('says that it was killed when it had not saved in time, or starts from the beginning', () => {
      expect(judge({ givenUp, trainer: killed, killed: true }).run.message).toContain(
        'had not saved in time and was killed',
      );
      expect(judge({ givenUp, latestStep: null }).run.message).toContain('It starts from the beginning');
    });

    it('follows the user who pauses or cancels it meanwhile', () => {
      expect(judge({ givenUp, stop: 'pause' }).run.status).toBe('paused');
      expect(judge({ givenUp, stop: 'cancel' }).run.status).toBe('cancelled');
    });

    it('ends as it would have ended when it finishes or fails by itself', () => {
      expect(judge({ givenUp, outcome: finished }).run.status).toBe('succeeded');
      expect(judge({ givenUp, outcome: nan, trainer: ended({ exitCode: 68 }) }).run).toMatchObject({
        status: 'failed',
        reason: 'nan_loss',
      });
    });
  });

  it('says so when a trainer had to be killed to stop it', () => {
    const verdict = judge({ stop: 'pause', trainer: killed, killed: true, latestStep: null });
    expect(verdict.attempt.reason).toBe('stop_timeout');
    expect(verdict.run.status).toBe('paused');
    expect(verdict.run.message).toContain('nothing was saved');
  });

  it('fails a run that was to be paused and failed by itself meanwhile, and cancels one that was to be cancelled', () => {
    expect(judge({ stop: 'pause', outcome: nan }).run).toMatchObject({ status: 'failed', reason: 'nan_loss' });
    expect(judge({ stop: 'cancel', outcome: nan })).toMatchObject({
      run: { status: 'cancelled' },
      attempt: { reason: 'nan_loss' },
    });
  });

  it('fails with the message and remedy of the trainer, without a restart that cannot help', () => {
    expect(judge({ outcome: nan, trainer: ended({ exitCode: 68 }) })).toEqual({
      attempt: { reason: 'nan_loss', message: 'The loss is NaN at step 7. Lower training.learning_rate.' },
      run: {
        status: 'failed',
        reason: 'nan_loss',
        message: 'The loss is NaN at step 7. Lower training.learning_rate.',
      },
      restart: null,
    });
  });

  it.each([
    [ended({ exitCode: 65 }), 'invalid_data'],
    [ended({ exitCode: 73 }), 'disk_full'],
    [ended({ exitCode: 75 }), 'vllm_unhealthy'],
    [ended({ exitCode: 137, outOfMemory: true }), 'oom_host'],
    [killed, 'trainer_killed'],
    [ended({ exitCode: 143 }), 'trainer_killed'],
    [ended({ exitCode: 139 }), 'trainer_crashed'],
    [ended({ exitCode: 1 }), 'trainer_crashed'],
    [ended(), 'trainer_killed'],
    [ended({ state: 'lost', exitCode: null }), 'trainer_lost'],
    [ended({ state: 'lost', exitCode: null, rebooted: true }), 'host_rebooted'],
  ] as const)('names the reason of %j when no record tells it: %s', (trainer, reason) => {
    expect(judge({ trainer }).attempt.reason).toBe(reason);
  });

  it('adds what the trainer printed where nothing better explains its end', () => {
    const printed = ' It printed: Error: no such file';
    expect(judge({ trainer: ended({ exitCode: 1 }), printed }).attempt.message).toBe(
      `The trainer ended with exit code 1. It printed: Error: no such file. ${remedies.trainer_crashed}`,
    );
  });

  it('names the kind of failure that the output shows, where neither a record nor the exit code does', () => {
    const known = { reason: 'oom_gpu', message: 'The GPU has no memory left. Lower it.' } as const;
    expect(judge({ trainer: ended({ exitCode: 1 }), known }).run).toMatchObject({
      status: 'failed',
      reason: 'oom_gpu',
      message: 'The trainer ended with exit code 1. The GPU has no memory left. Lower it.',
    });
    expect(judge({ trainer: ended({ exitCode: 65 }), known }).attempt.reason).toBe('invalid_data');
    expect(judge({ trainer: killed, known }).attempt.reason).toBe('trainer_killed');
  });

  it('tells the remedy of every failure', () => {
    for (const exitCode of [1, 65, 66, 71, 73, 74, 78, 137, 139, null]) {
      const { reason, message } = judge({ trainer: ended({ exitCode }) }).attempt;
      expect(message).toContain(remedyOf(reason));
    }
  });

  it('restarts after failures of the machine with a doubling pause, until the budget is used up', () => {
    const delays = [0, 1, 2].map((restarts) => judge({ trainer: killed, restarts }).restart);
    expect(delays).toEqual([5000, 10_000, 20_000].map((delayMs, i) => ({ budget: 'restarts', count: i + 1, delayMs })));
    const over = judge({ trainer: killed, restarts: 3 });
    expect(over).toMatchObject({ run: { status: 'failed', reason: 'trainer_killed' }, restart: null });
    expect(over.run.message).toContain(
      'All 3 restarts (recovery.max_restarts) since its last new checkpoint are used up',
    );
  });

  it('pauses at most ten minutes before a restart', () => {
    const recovery = { max_restarts: 100, max_restarts_on_errors: 0, backoff_seconds: 5 };
    expect(judge({ trainer: killed, restarts: 50, recovery }).restart?.delayMs).toBe(600_000);
  });

  it("charges the trainer's own errors to a budget of their own", () => {
    const recovery = { max_restarts: 0, max_restarts_on_errors: 1, backoff_seconds: 5 };
    expect(judge({ outcome: nan, recovery }).restart?.budget).toBe('error_restarts');
    expect(judge({ outcome: nan, recovery, errorRestarts: 1 }).run.status).toBe('failed');
    expect(judge({ trainer: killed, recovery }).run.status).toBe('failed');
  });

  it('restarts with the reason for which the control plane gave the attempt up', () => {
    const givenUp = { reason: 'inference_failed', message: 'The inference server has ended 4 times.' } as const;
    expect(judge({ givenUp })).toMatchObject({
      attempt: givenUp,
      run: { status: 'queued', reason: 'waiting_to_restart' },
    });
  });

  it('reads an unknown reason of a trainer as a crash', () => {
    expect(judge({ outcome: { ...nan, reason: 'gremlins' } }).attempt.reason).toBe('trainer_crashed');
  });
});
