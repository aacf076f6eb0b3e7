import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEngine } from '../model/backend.ts';
import { AgentError, createAgentClient } from './agent/agent-client.ts';
import { AttemptClosed, type AttemptControl, createAttemptControl } from './agent/attempt-control.ts';
import { untilAnswered } from './agent/backoff.ts';
import { startRecordPoster } from './agent/record-poster.ts';
import { openRecordSpool, type RecordSpool } from './agent/record-spool.ts';
import type { AttemptEnvironment } from './attempt-environment.ts';
import { engineMemory } from './engine-memory.ts';
import { explainFailure } from './failure.ts';
import { type ComponentLogs, createComponentLogs } from './log/component-logs.ts';
import { trainDpo } from './methods/dpo.ts';
import { evaluateOnce } from './methods/evaluate.ts';
import { trainGrpo } from './methods/grpo.ts';
import { trainSft } from './methods/sft.ts';
import { createSaveWorker } from './saving/save-worker.ts';
import type { Outcome, Session } from './session.ts';

/** How long the last records may take when the control plane is away; it can read them from the spool afterwards. */
const FLUSH_MS = 5000;
/** How long a checkpoint that was on its way when training failed may take: the next attempt goes on from it. */
const LAST_SAVE_MS = 120_000;
const EXIT_CLOSED = 70;

/**
 * One life of the trainer, from its orders to its exit code (`contracts/reason.ts`).
 *
 * @param terminate aborted when the process is asked to end
 * @param complain where the details of an error go that a user should not have to read
 */
export async function runAttempt(params: {
  readonly environment: AttemptEnvironment;
  readonly terminate: AbortSignal;
  readonly now: () => number;
  /** Counts on when the machine's clock is set; `now` by default. */
  readonly steady?: () => number;
  readonly complain: (error: unknown) => void;
}): Promise<number> {
  const { environment, terminate, now, complain } = params;
  const { agentUrl: url, attempt: id, token, workspace } = environment;
  const agent = { url, attempt: id, token };
  const client = createAgentClient(agent);
  const saveWorker = createSaveWorker(agent);
  await mkdir(workspace, { recursive: true });
  const attempt = await untilAnswered(() => client.spec(terminate), terminate);

  const records = openRecordSpool({ path: path.join(workspace, 'spool.jsonl'), now });
  const control = createAttemptControl(attempt.log_levels);
  obey(terminate, control);
  const poster = startRecordPoster({ client, spool: records, control });
  const logs = createComponentLogs({ write: (record) => records.append([record]), levels: () => control.logLevels });
  try {
    const engine = await startEngine({ warn: (message) => logs.training.warning(message) });
    const clocks = { now: params.steady ?? now, wall: now };
    const session: Session = {
      attempt,
      spec: attempt.spec,
      engine,
      client,
      control,
      records,
      logs,
      saveWorker,
      workspace,
      ...clocks,
    };
    announce(session);
    await perform(session);
    return 0;
  } catch (error) {
    if (control.closed.aborted || error instanceof AttemptClosed || isClosed(error)) return EXIT_CLOSED;
    complain(error);
    const exitCode = reportFailure(error, attempt, records, logs);
    await Promise.race([saveWorker.idle(), sleep(LAST_SAVE_MS, undefined, { ref: false }), aborted(control.closed)]);
    return exitCode;
  } finally {
    if (!control.closed.aborted) await poster.flush(FLUSH_MS);
    await saveWorker.close();
    await poster.stop();
    records.close();
  }
}

function perform(session: Session): Promise<Outcome> {
  return session.spec.task === 'evaluate' ? evaluateOnce(session) : train(session);
}

function train(session: Session): Promise<Outcome> {
  switch (session.spec.method) {
    case 'sft':
      return trainSft(session);
    case 'grpo':
      return trainGrpo(session);
    case 'dpo':
      return trainDpo(session);
  }
}

function announce({ attempt, records, logs, engine, spec }: Session): void {
  const what = spec.task === 'evaluate' ? `evaluation by ${spec.method}` : spec.method;
  const message = `Trainer started: ${what} of ${spec.model.name}, attempt ${attempt.attempt}, engine ${engine.name}`;
  records.append([
    {
      kind: 'event',
      name: 'started',
      message,
      data: {
        ...{ attempt: attempt.attempt, pid: process.pid },
        ...{ engine: engine.name, engine_version: engine.version, engine_reason: engine.reason },
      },
    },
    {
      kind: 'progress',
      phase: 'loading',
      step: 0,
      total_steps: spec.training.max_steps ?? 0,
      epoch: 0,
      elapsed_seconds: 0,
      eta_seconds: null,
    },
  ]);
  logs.training.info(message);
  logs.training.info(`Engine: ${engine.name} ${engine.version} (${engine.reason})`);
  if (engine.name === 'node' && !engineMemory(engine).fused) {
    logs.training.warning(
      "The TensorFlow that is installed has none of Tandem's own operations, or those of an earlier version: steps take longer and more memory. Run ./scripts/install-tensorflow.sh --cpu again",
    );
  }
}

function reportFailure(
  error: unknown,
  { spec }: Session['attempt'],
  records: RecordSpool,
  logs: ComponentLogs,
): number {
  const { reason, message, remedy, exitCode } = explainFailure(error);
  const what = spec.task === 'evaluate' ? 'Evaluation' : 'Training';
  logs.training.error(`${what} failed: ${message} | ${remedy}`, { reason });
  records.append([{ kind: 'event', name: 'failed', message, reason, remedy: remedy.slice(0, 4096) }]);
  return exitCode;
}

function obey(terminate: AbortSignal, control: AttemptControl): void {
  if (terminate.aborted) control.stop(null);
  else terminate.addEventListener('abort', () => control.stop(null), { once: true });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function isClosed(error: unknown): boolean {
  return error instanceof AgentError && error.kind === 'closed';
}
