import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunStatus } from '../../services/contracts/run.ts';
import { metricsRecord } from '../../services/control-plane/records/record.fixtures.ts';
import { openSinkFixture, RUN } from '../../services/control-plane/sinks/sink.fixtures.ts';
import { createMlflowTracker } from '../../services/control-plane/trackers/mlflow/mlflow.tracker.ts';
import { createRedactor } from '../../services/platform/redaction.ts';
import { type Mlflow, startRealMlflow } from '../support/mlflow.ts';

const program = process.env['TANDEM_MLFLOW'] ?? '';

describe.skipIf(program === '')('an MLflow server (needs TANDEM_MLFLOW)', () => {
  let server: Mlflow;
  let uri: string;
  beforeAll(async () => {
    server = await startRealMlflow(program);
    uri = server.uri;
  });
  afterAll(() => server?.close());

  const history = async (id: string, key: string) =>
    (await server.history(id, key)).map(({ step, value }) => `${step}:${value}`).join(' ');

  it('takes a run that is resumed: metrics once, parameters, links and how it ended', async () => {
    const fixture = openSinkFixture();
    const { records } = fixture.records;
    let status: RunStatus = 'running';
    const catchUp = async (learningRate: number, final = false) => {
      const monitoring = { enable_mlflow: true, mlflow_experiment: 'grpo', mlflow_run_name: 'resumed once' };
      const tracker = createMlflowTracker({
        target: { ...fixture.target({ monitoring, training: { learning_rate: learningRate } }), status: () => status },
        records,
        checkpoints: fixture.checkpoints.checkpoints,
        settings: { trackingUri: uri, experiment: 'tandem', authorization: null },
        locationOf: ({ attempt, step }) => `s3://tandem/a${attempt}/checkpoint-${step}`,
        redactor: createRedactor({}),
        now: Date.now,
        steady: () => performance.now(),
      });
      await tracker?.catchUp(final, new AbortController().signal);
      return tracker?.status();
    };
    try {
      const train = (attempt: number, from: number, to: number) =>
        records.ingest(
          RUN,
          attempt,
          Array.from({ length: to - from + 1 }, (_, at) =>
            metricsRecord(at + 1, from + at, {
              'train/loss': attempt,
              'train/kl_loss': from + at === 2 ? 'NaN' : 'Infinity',
            }),
          ),
        );
      await train(1, 1, 4);
      await fixture.checkpoints.save(4);
      await catchUp(0.1);
      records.markSuperseded(RUN, { attempt: 2, resumedFromAttempt: 1, record: 3, step: 3 });
      await train(2, 4, 6);
      status = 'succeeded';
      const told = await catchUp(0.2, true);
      const id = told?.run_id ?? '';
      expect(told).toMatchObject({ state: 'finished', last_step: 6, backlog: 0, run_name: 'resumed once' });
      expect(await history(id, 'train/loss')).toBe('1:1 2:1 3:1 4:1 5:2 6:2');
      expect(await history(id, 'train/kl_loss')).toMatch(/2:NaN/);
      const answer = await fetch(`${uri}/api/2.0/mlflow/runs/get?run_id=${id}`);
      const { run } = (await answer.json()) as { run: { info: object; data: { params: object[]; tags: object[] } } };
      expect(run.info).toMatchObject({ status: 'FINISHED', run_name: 'resumed once' });
      expect(run.data.params).toContainEqual({ key: 'training.learning_rate', value: '0.1' });
      expect(run.data.params).toContainEqual({ key: 'attempt2/training.learning_rate', value: '0.2' });
      expect(run.data.tags).toContainEqual({ key: 'tandem.run', value: RUN });
      const artifact = await fetch(`${uri}/get-artifact?run_id=${id}&path=tandem/links.json`);
      expect(await artifact.json()).toMatchObject({
        run: RUN,
        checkpoints: [{ location: 's3://tandem/a1/checkpoint-4' }],
      });
      await fetch(`${uri}/api/2.0/mlflow/runs/delete`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ run_id: id }),
      });
      const again = (await catchUp(0.2, true))?.run_id ?? '';
      expect(again).not.toBe(id);
      expect(await history(again, 'train/loss')).toBe('1:1 2:1 3:1 4:2 5:2 6:2');
    } finally {
      fixture.close();
    }
  });
});
