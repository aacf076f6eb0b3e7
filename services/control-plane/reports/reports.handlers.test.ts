import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunSpecInput } from '../../contracts/run-spec.ts';
import { createRedactor } from '../../platform/redaction.ts';
import { problemOf, servePublic, type TestServer } from '../api/testing.ts';
import { evaluationRecord, metricsRecord } from '../records/record.fixtures.ts';
import { openSinkFixture, RUN, type SinkFixture } from '../sinks/sink.fixtures.ts';
import type { Drawing } from './drawing-thread.ts';
import { html } from './html.ts';
import type { Plot } from './plot.ts';
import { createReportHandlers, type ReportServices } from './reports.handlers.ts';

const HOSTILE = '<script>alert(1)</script>';
const MISSING = 'run-00000000';
/** What a picture is of; `draw.test.ts` draws some. */
const drawing: Drawing = {
  svg: async (plots) =>
    plots.map(({ title, marks }) => html`<svg>${[title, ...marks.map(({ label }) => label)].join()}</svg>`.text),
  png: async ({ title }: Plot) => Buffer.from(title),
  close: async () => undefined,
};

let fixture: SinkFixture;
let server: TestServer;
beforeEach(() => {
  fixture = openSinkFixture();
});
afterEach(async () => {
  await server.close();
  fixture.close();
});

const serve = async (spec: Omit<RunSpecInput, 'model'>, more: Partial<ReportServices> = {}) => {
  const run = (id: string) => ({
    id,
    name: HOSTILE,
    message: 'It has ended.',
    status: 'succeeded' as const,
    spec: fixture.target(spec).spec,
    output_dir: 'outputs/run',
  });
  server = await servePublic(
    createReportHandlers({
      run: (id) => (id === MISSING ? undefined : run(id)),
      attempts: () => [{ number: 2, resumed_from: `${RUN}/a1/checkpoint-10`, resumed_step: 10 }],
      records: fixture.records.records,
      checkpoints: fixture.checkpoints.checkpoints,
      drawing,
      redactor: createRedactor({ A_KEY: 'known-secret' }),
      now: () => 0,
      ...more,
    }),
  );
};
const get = (path: string, accept = '*/*') => fetch(`${server.url}${path}`, { headers: { accept } });
const grpo = (n: number, step: number) =>
  metricsRecord(n, step, { 'train/loss': 0.5, 'train/avg_reward': 0.6, 'train/learning_rate': 1e-5 });
const train = async () => {
  await fixture.records.records.ingest(RUN, 1, [grpo(1, 10), grpo(2, 20), evaluationRecord(3, 20), grpo(4, 23)]);
  await fixture.checkpoints.save(20, ['best'], { best_metric: 0.7 });
};

describe('reports by the API', () => {
  it('answers the log as the tree has it, and its histories as CSV', async () => {
    await serve({ method: 'grpo' });
    await train();
    const log = await get(`/runs/${RUN}/training-log`);
    expect(log.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const body = (await log.json()) as { train_history: { step: number }[]; best_checkpoint: object };
    expect(body.train_history.map(({ step }) => step)).toEqual([10, 20, 23]);
    expect(body.best_checkpoint).toMatchObject({ step: 20, path: 'outputs/run/best_model' });
    const csv = await (await get(`/runs/${RUN}/train-history.csv`)).text();
    expect(csv.split('\n').slice(0, 2)).toEqual(['step,epoch,samples,loss,reward,kl,lr', '10,0.1,40,0.5,0.6,,0.00001']);
    expect((await (await get(`/runs/${RUN}/val-history.csv`)).text()).split('\n')).toHaveLength(3);
  });

  it('answers pictures, and says of one that cannot be drawn which can', async () => {
    await serve({ method: 'grpo' });
    await train();
    const png = await get(`/runs/${RUN}/plots/reward_curve.png`);
    expect(png.headers.get('content-type')).toBe('image/png');
    expect(await png.text()).toContain('Reward');
    const svg = await (await get(`/runs/${RUN}/plots/loss_curve.svg`)).text();
    expect(svg).toMatch(/^<svg>Loss.*resumed \(a2\),best \(step 20\)/);
    const missing = await problemOf(await get(`/runs/${RUN}/plots/kl_curve.png`));
    expect(missing).toMatchObject({
      status: 404,
      detail: expect.stringContaining('loss_curve, reward_curve, lr_curve'),
    });
  });

  it('answers a page that has no script, allows none, and escapes what users wrote', async () => {
    await serve({ method: 'grpo' });
    await train();
    const answer = await get(`/runs/${RUN}/report?refresh=5`);
    const page = await answer.text();
    expect(answer.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'unsafe-inline'.*frame-ancestors 'none'$/,
    );
    expect(page).not.toContain('<script');
    expect(page).toContain('&#60;script&#62;');
    expect(page).toContain('<meta http-equiv="refresh" content="5">');
    expect(page.match(/<svg>/g)).toHaveLength(3);
  });

  it('compares runs as JSON, and as a page for a browser', async () => {
    await serve({ method: 'grpo' });
    await train();
    const path = `/compare?runs=${RUN},run-bbbbbbbb`;
    const body = (await (await get(path)).json()) as { runs: { id: string }[]; settings: { differs: boolean }[] };
    expect(body.runs.map(({ id }) => id)).toEqual([RUN, 'run-bbbbbbbb']);
    expect(body.runs[0]).toMatchObject({ statistics: { reward: { count: 3, mean: expect.closeTo(0.6) } } });
    expect(body.settings.some(({ differs }) => differs)).toBe(false);
    const page = await get(path, 'text/html');
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(await page.text()).toContain('All settings are the same.');
  });

  it.each([
    [`/runs/${MISSING}/report`, 404, /There is no run/],
    ['/compare?runs=run-aaaaaaaa,run-aaaaaaaa', 400, /two runs or more/],
    [`/compare?runs=run-aaaaaaaa,${MISSING}`, 404, /There is no run/],
    [`/runs/${RUN}/plots/other.png`, 400, /file/],
    [`/runs/${RUN}/plots/loss_curve.png`, 404, /no training entries yet/],
    [`/runs/${RUN}/report?refresh=0`, 400, /refresh/],
  ])('refuses %s with %i and the reason', async (path, status, detail) => {
    await serve({ method: 'sft' });
    const problem = await problemOf(await get(path));
    expect(problem.status).toBe(status);
    expect(JSON.stringify(problem)).toMatch(detail);
  });

  it('says of an evaluation that it trains nothing', async () => {
    await serve({ method: 'grpo', task: 'evaluate' });
    expect(await problemOf(await get(`/runs/${RUN}/report`))).toMatchObject({
      status: 404,
      detail: expect.stringContaining('/evals'),
    });
  });

  it('answers a run without entries with a page that says so', async () => {
    await serve({ method: 'sft' });
    expect(await (await get(`/runs/${RUN}/report`)).text()).toContain('nothing to draw yet');
    expect(await (await get(`/runs/${RUN}/training-log`)).json()).toMatchObject({ train_history: [], val_history: [] });
    expect(await (await get(`/runs/${RUN}/val-history.csv`)).text()).toBe('step,epoch,eval_loss\n');
  });

  it('reads no more than ten logs at a time, each of a comparison counted', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await serve({ method: 'grpo' }, { drawing: { ...drawing, svg: () => held.then(() => []) } });
    await train();
    const waiting = [
      ...Array.from({ length: 4 }, () => get(`/runs/${RUN}/report`)),
      ...['a', 'b', 'c'].map((each) =>
        get(`/compare?runs=${RUN},run-${each.repeat(8)}`.replace(RUN, 'run-dddddddd'), 'text/html'),
      ),
    ];
    const refused = async (): Promise<Response> => {
      const answer = await get(`/runs/${RUN}/val-history.csv`);
      return answer.status === 429 ? answer : refused();
    };
    expect(await problemOf(await refused())).toMatchObject({ detail: expect.stringContaining('try again') });
    release();
    for (const answer of await Promise.all(waiting)) expect(answer.status).toBe(200);
  });
});

it('a page that is handed on holds no secret of the spec', async () => {
  await train();
  await serve({
    labels: { note: 'known-secret' },
    reward: [{ name: 'http', url: 'http://scorer:hunter22@127.0.0.1:9/?token=abcdef' }],
  });
  const page = await (await get(`/compare?runs=${RUN},run-bbbbbbbb`, 'text/html')).text();
  const numbers = await (await get(`/compare?runs=${RUN},run-bbbbbbbb`)).text();
  for (const text of [page, numbers]) {
    expect(text).toContain('[redacted]@127.0.0.1:9');
    expect(text).not.toMatch(/hunter22|abcdef|known-secret/);
  }
});
