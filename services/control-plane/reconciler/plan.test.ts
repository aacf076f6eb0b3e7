import { describe, expect, it } from 'vitest';
import { resolveRunSpec } from '../../contracts/resolve-run-spec.ts';
import type { Role } from '../../contracts/run.ts';
import type { Method, RunSpec } from '../../contracts/run-spec.ts';
import type { AttemptRow, RoleRow } from '../attempts/attempt.store.ts';
import type { RunRow } from '../runs/run-row.ts';
import type { ObservedRole } from '../runtimes/runtime.ts';
import type { ActiveRun, Limits, Observation, RoleView } from './observation.ts';
import { nothingQueued } from './observe-queue.ts';
import { plan, restMs } from './plan.ts';

const RUN = 'run-00000001';
const NOW = 1_000_000;
const limits: Limits = {
  startTimeoutMs: 60_000,
  stopDeadlineMs: 120_000,
  trainerGraceMs: 30_000,
  inferenceGraceMs: 10_000,
  inferenceRestarts: 3,
  inferenceWindowMs: 600_000,
};

function specOf(method: Method): RunSpec {
  const resolved = resolveRunSpec({ method, model: { name: '/m' } });
  if (!resolved.ok) throw new Error('the spec of this test is wrong');
  return resolved.spec;
}

const runRow = (change: Partial<RunRow> = {}): RunRow => ({
  id: RUN,
  name: null,
  method: 'sft',
  status: 'starting',
  reason: 'starting_trainer',
  message: '',
  priority: 50,
  labels: {},
  spec: specOf(change.method ?? 'sft'),
  warnings: [],
  profile: 'cpu',
  output_dir: 'outputs/x',
  tree: '/outputs/x',
  model_directory: '/m',
  base_adapter_directory: null,
  model_run: null,
  model_origin: null,
  model_due: 0,
  train_data: null,
  val_data: null,
  reward_files: [],
  parent_run: null,
  parent_attempt: null,
  parent_step: null,
  start_from: { kind: 'beginning' },
  created_at: 0,
  queued_at: 0,
  started_at: 0,
  ended_at: null,
  stop: null,
  stop_deadline: null,
  restarts: 0,
  error_restarts: 0,
  restart_at: null,
  files_due: 1,
  ...change,
});

const attemptRow = (change: Partial<AttemptRow> = {}): AttemptRow => ({
  run: RUN,
  number: 1,
  token_hash: null,
  opened_at: NOW - 1000,
  started_at: null,
  ended_at: null,
  reason: null,
  message: null,
  resumed_from: null,
  resumed_run: null,
  resumed_attempt: null,
  resumed_step: null,
  inference_url: null,
  ending_reason: null,
  ending_message: null,
  ending_deadline: null,
  ...change,
});

function role(name: Role, row: Partial<RoleRow> | null, observed: Partial<ObservedRole> | null, start = 1): RoleView {
  const identity = { run: RUN, attempt: 1, role: name, start };
  return {
    row: row && {
      ...identity,
      state: 'starting',
      exit_code: null,
      pid: 7,
      started_at: NOW - 1000,
      exited_at: null,
      term_at: null,
      kill_at: null,
      ...row,
    },
    observed: observed && { identity, state: 'running', exitCode: null, pid: 7, rebooted: false, ...observed },
  };
}

const observation = (change: Partial<Observation>): Observation => ({
  now: NOW,
  since: 0,
  queue: nothingQueued,
  active: [],
  leftovers: [],
  filesDue: [],
  modelsDue: [],
  ...change,
});

const sft = (change: Partial<ActiveRun> = {}): ActiveRun => ({
  run: runRow(),
  attempt: attemptRow(),
  trainer: null,
  inference: [],
  servingAt: null,
  reported: false,
  pulse: null,
  silentMs: 0,
  deafMs: 0,
  finishing: false,
  readyMs: 3_600_000,
  ...change,
});
const grpo = (change: Partial<ActiveRun> = {}): ActiveRun =>
  sft({ run: runRow({ method: 'grpo', reason: 'starting_inference' }), ...change });
const serving = role('inference', { state: 'ready' }, {});
const url = 'http://127.0.0.1:1/v1';
const steps = (active: ActiveRun, change: Partial<Observation> = {}) =>
  plan(observation({ active: [active], ...change }), limits);
const inferenceStart = (start: number) => ({
  step: 'startRole',
  identity: { run: RUN, attempt: 1, role: 'inference', start },
});
const trainerStart = { step: 'startRole', identity: { run: RUN, attempt: 1, role: 'trainer', start: 1 } };

describe('plan, starting', () => {
  it('grants the slot to the run that the queue chooses', () => {
    expect(plan(observation({ queue: { ...nothingQueued, cpuStarts: [RUN] } }), limits)).toEqual([
      { step: 'grant', run: RUN, start: null },
    ]);
  });

  it('starts the trainer alone for a method without rollouts', () => {
    expect(steps(sft())).toEqual([trainerStart]);
  });

  it('goes on with a start that an earlier control plane has left in its middle', () => {
    const made = role('trainer', { pid: null }, { state: 'created', pid: null });
    expect(steps(sft({ trainer: made }))).toEqual([trainerStart]);
  });

  it('removes what was made for an attempt that is over and never started', () => {
    const roles = [role('trainer', null, { state: 'created', pid: null })];
    const leftovers = [{ run: RUN, attempt: 1, shares: true, roles }];
    expect(plan(observation({ leftovers }), limits)).toMatchObject([
      { step: 'cleanUp', identities: [{ role: 'trainer' }] },
    ]);
  });

  it('removes what the roles of an attempt shared when they are gone', () => {
    const leftovers = [{ run: RUN, attempt: 1, shares: true, roles: [] }];
    expect(plan(observation({ leftovers }), limits)).toEqual([
      { step: 'cleanUp', run: RUN, attempt: 1, identities: [] },
    ]);
  });

  it('gives back what a run holds that was not ready in time, though its roles were not even started', () => {
    const late = { readyMs: 500, run: runRow({ message: 'pulls the image x.' }) };
    expect(steps(sft(late))).toMatchObject([
      { step: 'giveUp', reason: 'ready_timeout', message: expect.stringContaining('pulls the image x.') },
    ]);
    expect(steps(sft({ ...late, readyMs: 1500 }))).toEqual([trainerStart]);
    expect(steps(sft(late), { since: NOW - 100 })).toEqual([trainerStart]);
  });

  it('starts the inference server before the trainer', () => {
    expect(steps(grpo())).toEqual([inferenceStart(1)]);
    expect(steps(grpo({ inference: [role('inference', {}, {})] }))).toEqual([]);
  });

  it('starts no trainer beside a server that is not ready, also where both have the same GPUs', () => {
    const shared = runRow({ method: 'grpo', profile: 'shared-8', reason: 'starting_inference' });
    const loading = role('inference', {}, {});
    expect(steps(grpo({ run: shared, inference: [loading] }))).toEqual([]);
    const made = role('inference', { pid: null }, { state: 'created' });
    expect(steps(grpo({ run: shared, inference: [made] }))).not.toContainEqual(trainerStart);
  });

  it('starts the trainer alone for rollouts from a server of one’s own, and tends none', () => {
    const spec = specOf('grpo');
    const inference = { ...spec.inference, vllm: { ...spec.inference.vllm, api_base: 'http://10.0.0.7:8000/v1' } };
    const run = runRow({ method: 'grpo', spec: { ...spec, inference } });
    expect(steps(grpo({ run }))).toEqual([trainerStart]);
    expect(steps(grpo({ run, trainer: role('trainer', {}, {}), reported: true }))).toEqual([
      { step: 'noteTraining', run: RUN, attempt: 1 },
    ]);
  });

  it('notes where the inference server answers, then starts the trainer', () => {
    const inference = [role('inference', {}, {})];
    expect(steps(grpo({ inference, servingAt: url }))).toMatchObject([{ step: 'noteServing', url }]);
    expect(steps(grpo({ inference: [serving], attempt: attemptRow({ inference_url: url }) }))).toEqual([trainerStart]);
  });

  it('starts a role again that was noted and never seen, because the start was cut off', () => {
    expect(steps(sft({ trainer: role('trainer', { pid: null }, null) }))).toEqual([trainerStart]);
    expect(steps(grpo({ inference: [role('inference', { pid: null }, null)] }))).toEqual([inferenceStart(1)]);
  });

  it('calls it running at the first report', () => {
    const trainer = role('trainer', {}, {});
    expect(steps(sft({ trainer }))).toEqual([]);
    expect(steps(sft({ trainer, reported: true }))).toEqual([{ step: 'noteTraining', run: RUN, attempt: 1 }]);
    expect(steps(sft({ trainer, reported: true, run: runRow({ status: 'running' }) }))).toEqual([]);
  });

  it('notes the process number once it is known', () => {
    expect(steps(sft({ trainer: role('trainer', { pid: null }, {}) }))).toMatchObject([{ step: 'noteRole' }]);
  });

  it('gives up a trainer that does not report in time, counted from when somebody could hear it', () => {
    const trainer = role('trainer', { started_at: NOW - 70_000 }, {});
    expect(steps(sft({ trainer }))).toMatchObject([{ step: 'giveUp', reason: 'start_timeout', deadline: NOW }]);
    expect(steps(sft({ trainer }), { since: NOW - 50_000 })).toEqual([]);
    expect(steps(sft({ trainer, run: runRow({ status: 'running' }) }))).toEqual([]);
  });

  it('gives up an inference server that does not answer in time', () => {
    const inference = [role('inference', { started_at: NOW - 70_000 }, {})];
    expect(steps(grpo({ inference }))).toMatchObject([{ step: 'giveUp', reason: 'start_timeout' }]);
  });
});

describe('plan, no progress', () => {
  const trainer = role('trainer', { state: 'ready' }, {});
  const running = { run: runRow({ status: 'running' }), trainer, reported: true };
  const pulse = { beat: 7, phase: 'training', stepMs: 1000 } as const;

  it('gives a hung trainer up after the floor of its steps, and kills it at once', () => {
    expect(steps(sft({ ...running, pulse, silentMs: 600_000 }))).toEqual([]);
    expect(steps(sft({ ...running, pulse, silentMs: 600_001 }))).toMatchObject([
      { step: 'giveUp', reason: 'hang', deadline: NOW },
    ]);
    const attempt = attemptRow({ ending_reason: 'hang', ending_deadline: NOW });
    expect(steps(sft({ ...running, pulse, attempt }))).toMatchObject([{ step: 'signal', signal: 'KILL' }]);
    const signalled = role('trainer', { state: 'ready', kill_at: NOW }, {});
    expect(steps(sft({ ...running, pulse, attempt, trainer: signalled }))).toEqual([]);
  });

  it('leaves a trainer that is asked to stop to the deadline for that', () => {
    const run = runRow({ status: 'stopping', stop: 'pause', stop_deadline: NOW + 1000 });
    expect(steps(sft({ ...running, run, pulse, silentMs: 9_000_000 }))).toEqual([]);
  });

  it('kills an inference server that is deaf, and does not blame the trainer that waits for it', () => {
    const deaf = grpo({
      ...running,
      run: runRow({ method: 'grpo', status: 'running' }),
      inference: [serving],
      attempt: attemptRow({ inference_url: url }),
      ...{ pulse, silentMs: 9_000_000, deafMs: 120_000 },
    });
    expect(steps(deaf)).toEqual([]);
    expect(steps({ ...deaf, deafMs: 120_001 })).toMatchObject([
      { step: 'signal', identity: { role: 'inference' }, signal: 'KILL' },
    ]);
  });

  it('takes the deadlines of the run before those of the control plane', () => {
    const run = runRow();
    run.spec.recovery.deadlines.starting_trainer = 5;
    const slow = role('trainer', { started_at: NOW - 6000 }, {});
    expect(steps(sft({ run, trainer: slow }))).toMatchObject([{ step: 'giveUp', reason: 'start_timeout' }]);
  });
});

describe('plan, the inference server has ended', () => {
  const ended = (ago: number, start: number, exitCode = 137) =>
    role('inference', { state: 'exited', exited_at: NOW - ago }, { state: 'exited', exitCode }, start);
  const training = {
    run: runRow({ method: 'grpo', status: 'running' }),
    trainer: role('trainer', { state: 'ready' }, {}),
    attempt: attemptRow({ inference_url: url }),
    reported: true,
  };

  it('notes its end first, then starts it again', () => {
    const fresh = role('inference', { state: 'ready' }, { state: 'exited', exitCode: 137 });
    expect(steps(grpo({ ...training, inference: [fresh] }))).toMatchObject([{ step: 'noteRole' }]);
    expect(steps(grpo({ ...training, inference: [ended(10, 1)] }))).toEqual([inferenceStart(2)]);
  });

  it('waits longer before each further start', () => {
    expect(steps(grpo({ ...training, inference: [ended(9000, 1), ended(500, 2)] }))).toEqual([]);
    expect(steps(grpo({ ...training, inference: [ended(9000, 1), ended(1500, 2)] }))).toEqual([inferenceStart(3)]);
  });

  it('gives the attempt up after too many ends in a short time, leaving the trainer time to save', () => {
    const inference = [ended(9000, 1), ended(8000, 2), ended(7000, 3), ended(6000, 4)];
    expect(steps(grpo({ ...training, inference }))).toMatchObject([
      { step: 'giveUp', reason: 'inference_failed', deadline: NOW + limits.stopDeadlineMs },
    ]);
    const longAgo = [ended(900_000, 1), ended(800_000, 2), ended(700_000, 3), ended(6000, 4)];
    expect(steps(grpo({ ...training, inference: longAgo }))).toEqual([inferenceStart(5)]);
  });

  it('gives up at once when it says that the model is wrong, which no restart mends', () => {
    expect(steps(grpo({ inference: [ended(10, 1, 66)] }))).toMatchObject([{ step: 'giveUp', reason: 'invalid_model' }]);
  });

  it('is not started again for a run that is being stopped', () => {
    const run = runRow({ method: 'grpo', status: 'stopping', stop: 'pause', stop_deadline: NOW + 1000 });
    expect(steps(grpo({ ...training, run, inference: [ended(10, 1)] }))).toEqual([]);
  });
});

describe('plan, ending', () => {
  it.each([
    ['exited', { state: 'exited', exitCode: 0 }],
    ['lost', { state: 'lost' }],
  ] as const)('notes that the trainer has %s, then ends the attempt', (state, observed) => {
    expect(steps(sft({ trainer: role('trainer', {}, observed) }))).toMatchObject([{ step: 'noteRole' }]);
    expect(steps(sft({ trainer: role('trainer', { state }, observed) }))).toMatchObject([
      { step: 'endAttempt', trainer: observed },
    ]);
  });

  it('never calls a trainer ended that it cannot see, unless it was seen before and its workspace is gone', () => {
    expect(steps(sft({ trainer: role('trainer', { pid: 7 }, null) }))).toMatchObject([
      { step: 'endAttempt', trainer: { state: 'lost' } },
    ]);
    expect(steps(sft({ trainer: role('trainer', { pid: null }, null) }))).toEqual([trainerStart]);
  });

  it('ends the attempt of a stopped run whose trainer was never started', () => {
    const run = runRow({ method: 'grpo', status: 'stopping', stop: 'cancel', stop_deadline: NOW + 1000 });
    expect(steps(grpo({ run, inference: [serving] }))).toEqual([
      { step: 'endAttempt', run: RUN, attempt: 1, trainer: null },
    ]);
  });

  it('lets a trainer save until the deadline, then sends TERM once, then KILL once', () => {
    const stopping = (deadline: number, row: Partial<RoleRow> = {}) =>
      steps(
        sft({
          run: runRow({ status: 'stopping', stop: 'pause', stop_deadline: deadline }),
          trainer: role('trainer', { state: 'ready', ...row }, {}),
          reported: true,
        }),
      );
    expect(stopping(NOW + 1)).toEqual([]);
    expect(stopping(NOW)).toMatchObject([{ step: 'signal', signal: 'TERM' }]);
    expect(stopping(NOW, { term_at: NOW - 29_999 })).toEqual([]);
    expect(stopping(NOW, { term_at: NOW - 30_000 })).toMatchObject([{ step: 'signal', signal: 'KILL' }]);
    expect(stopping(NOW, { term_at: NOW - 90_000, kill_at: NOW - 60_000 })).toEqual([]);
  });

  it('ends what is left of an attempt that is over, then removes it', () => {
    const left = (roles: RoleView[]) =>
      plan(observation({ leftovers: [{ run: RUN, attempt: 1, shares: false, roles }] }), limits);
    expect(left([serving])).toMatchObject([{ step: 'signal', signal: 'TERM' }]);
    expect(left([role('inference', { state: 'ready', term_at: NOW - 10_000 }, {})])).toMatchObject([
      { step: 'signal', signal: 'KILL' },
    ]);
    const gone = role('inference', { state: 'exited' }, { state: 'exited', exitCode: 0 });
    const done = role('trainer', { state: 'exited' }, { state: 'exited', exitCode: 0 });
    expect(left([gone, done])).toMatchObject([
      { step: 'cleanUp', identities: [{ role: 'inference' }, { role: 'trainer' }] },
    ]);
  });

  it('kills a program that no run knows', () => {
    const leftovers = [{ run: RUN, attempt: 1, shares: false, roles: [role('trainer', null, {})] }];
    expect(plan(observation({ leftovers }), limits)).toMatchObject([{ step: 'signal', signal: 'KILL' }]);
  });

  it('lets the files of a run at rest be finished', () => {
    expect(plan(observation({ filesDue: [RUN] }), limits)).toEqual([{ step: 'finishFiles', run: RUN }]);
  });
});

describe('restMs', () => {
  it('is short while a program is expected to come or to go', () => {
    const running = runRow({ status: 'running' });
    expect(restMs(observation({ active: [sft({ run: running })] }), 1000)).toBe(1000);
    expect(restMs(observation({ active: [sft({ run: running, finishing: true })] }), 1000)).toBe(100);
    expect(restMs(observation({ active: [sft()] }), 1000)).toBe(100);
    expect(restMs(observation({ leftovers: [{ run: RUN, attempt: 1, shares: false, roles: [serving] }] }), 1000)).toBe(
      100,
    );
  });
});
