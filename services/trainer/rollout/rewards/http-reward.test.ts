import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RewardSpec, rewardSchema } from '../../../contracts/run-spec/reward.ts';
import { AddressRefusedError } from '../../../platform/address-policy.ts';
import type { PromptExample } from '../../data/readers/prompt-reader.ts';
import { explainSilence } from './http-failures.ts';
import { createHttpReward } from './http-reward.ts';
import { openReward, TaskSkipped } from './reward.ts';

const short = { baseMs: 1, maxMs: 1 };
const never = new AbortController().signal;
const task: PromptExample = {
  id: 't1',
  prompt: [1],
  messages: 1,
  source: '42+43=',
  answer: '85',
  columns: { level: 2 },
};
const texts = (...all: string[]) => all.map((text) => ({ text, tokens: [...text].map(Number) }));
const spec = (...rewards: unknown[]): RewardSpec[] => rewards.map((reward) => rewardSchema.parse(reward));

describe('a server that scores', () => {
  let server: Server;
  let url: string;
  let answers: (() => { status: number; body: string; headers?: Record<string, string> })[] = [];
  const asked: unknown[] = [];
  beforeAll(async () => {
    server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      asked.push(JSON.parse(body));
      const { status, body: text, headers } = answers.shift()!();
      if (status === 0) request.socket.destroy();
      else if (status > 0) response.writeHead(status, headers).end(text);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/score`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const say =
    (status: number, body = '{"scores":[1,0.5]}', more = {}) =>
    () => ({ status, body, ...more });
  /** Never answered. */
  const silent = () => ({ status: -1, body: '' });
  const score = (retries = 3) =>
    createHttpReward({ url, timeout: 5, retries }, 'http', short).score(task, texts('85', '86'), never);

  test('is given the completions with their row, and asked again while it is away', async () => {
    asked.length = 0;
    answers = [say(503, 'busy'), say(0), say(200)];
    expect(await score()).toEqual([1, 0.5]);
    expect(asked).toHaveLength(3);
    expect(asked[2]).toEqual({
      completions: ['85', '86'],
      completion_ids: [
        [8, 5],
        [8, 6],
      ],
      prompts: ['42+43=', '42+43='],
      answers: ['85', '85'],
      columns: { level: [2, 2] },
    });
  });

  test.each([
    [[say(503, 'busy'), say(500, 'worse')], 'answers 500: worse (asked 2 times)', 'Look in the log of the server'],
    [[say(503, 'busy'), say(429, 'slow down')], 'answers 429: slow down (asked 2 times)', 'Let the server take more'],
    [[say(408, ''), say(408, '')], 'answers 408 (asked 2 times)', 'Let the server wait longer'],
    [[say(404, 'not here')], 'answers 404: not here', 'Correct the path of reward.url'],
    [[say(401)], 'answers 401: {"scores":[1,0.5]}', 'It is asked without keys'],
    [[say(413, '')], 'answers 413', 'take longer bodies'],
    [[say(422, 'no ids')], 'answers 422: no ids', 'take what it is sent: {"completions"'],
    [[say(204, '')], 'answers 204', 'answer 200 with'],
    [
      [say(302, '', { headers: { location: 'http://169.254.169.254/' } })],
      'redirects (302), which is not followed',
      'redirects to',
    ],
    [[say(200, '[1, 2]')], 'answers "[1, 2]", which has no list "scores"', 'answer {"scores": [...]} with one'],
    [[say(200, 'yes')], 'answers "yes", which is no JSON', 'answer {"scores": [...]} with one'],
    [[say(200, ' '.repeat((16 << 20) + 1))], 'answers more than 16 MiB', 'the scores alone'],
    [[say(0), say(0)], 'broke the connection (ECONNRESET) (asked 2 times)', 'why it ended'],
    [[silent], 'gave no answer within 0.25 s', 'Raise timeout'],
  ])('fails with a cause and a remedy of its own: %#', async (given, message, remedy) => {
    answers = [...given];
    const [timeout, retries] = given[0] === silent ? [0.25, 0] : [5, 1];
    const failing = createHttpReward({ url, timeout, retries }, 'http', short).score(task, texts('85', '86'), never);
    await expect(failing).rejects.toMatchObject({ message, remedy: expect.stringContaining(remedy) });
    expect(answers).toEqual([]);
  });

  test('is not asked before its Retry-After, nor kept waiting longer than the longest wait', async () => {
    const scored = (retryAfter: string, maxMs: number) => {
      answers = [say(429, '', { headers: { 'retry-after': retryAfter } }), say(200)];
      return createHttpReward({ url, timeout: 5, retries: 1 }, 'http', { baseMs: 1, maxMs }).score(
        task,
        texts('85', '86'),
        never,
      );
    };
    const start = performance.now();
    expect(await scored('86400', 150)).toEqual([1, 0.5]);
    const waited = performance.now() - start;
    expect(waited).toBeGreaterThan(140);
    expect(await scored('0', 60_000)).toEqual([1, 0.5]);
  });

  test('that nobody listens at, or that no name stands for, says so, and names its address once', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const failing = async (at: string) => {
      const reward = await openReward(spec({ name: 'http', url: at, retries: 0 }), []);
      return reward.score(task, texts('85'), never).catch((error: unknown) => error);
    };
    expect(await failing(`http://127.0.0.1:${port}/score`)).toMatchObject({
      message: `the reward http://127.0.0.1:${port}/score (task t1): refuses connections: nothing listens there`,
      remedy: expect.stringContaining('Start the server, or correct host and port of reward.url'),
    });
    expect(await failing('http://nobody.invalid/score')).toMatchObject({
      message: expect.stringMatching(
        /^the reward http:\/\/nobody\.invalid\/score \(task t1\): has a host name without an address \(E\w+\)$/,
      ),
      remedy: expect.stringContaining('Correct the host of reward.url'),
    });
  });

  test('is not waited for by a run that stops, which is told why', async () => {
    const [stop, why] = [new AbortController(), new Error('stop requested')];
    answers = [say(503, 'busy')];
    const waiting = createHttpReward({ url, timeout: 5, retries: 1 }, 'http', { baseMs: 60_000, maxMs: 60_000 }).score(
      task,
      texts('85'),
      stop.signal,
    );
    setTimeout(() => stop.abort(why), 50);
    await expect(waiting).rejects.toBe(why);
    expect(answers).toEqual([]);
  });

  test('whose name stands for an address that may not be called is told so', () => {
    const refused = new AddressRefusedError('meta.example: 169.254.169.254 is link-local');
    expect(explainSilence(refused, 5)).toMatchObject({
      message: 'meta.example: 169.254.169.254 is link-local',
      remedy: 'Let reward.url name a server whose address may be called.',
    });
  });

  test('must not be where no server of a user is', async () => {
    const reward = createHttpReward({ url: 'http://169.254.169.254/x', timeout: 1, retries: 0 }, 'http');
    await expect(reward.score(task, texts('1'), never)).rejects.toThrow('169.254.169.254 is link-local');
  });

  test.each([
    ['{"scores":[1]}', 'gave 1 scores for 2 completions'],
    ['{"scores":[1,"good"]}', 'gave "good", which is no finite number'],
    ['{"scores":[null,1]}', 'gave null, which is no finite number'],
  ])('may talk nonsense, which is an error of the reward: %s', async (body, problem) => {
    const [fails, skips] = await Promise.all(
      ['fail', 'skip'].map((on_failure) => openReward(spec({ name: 'http', url, retries: 0, on_failure }), [])),
    );
    answers = [say(200, body), say(200, body)];
    await expect(fails!.score(task, texts('85', '86'), never)).rejects.toMatchObject({
      reason: 'reward_error',
      message: expect.stringContaining(problem),
      remedy: expect.stringContaining('Let the server answer {"scores": [...]} with one finite number for each'),
    });
    const skipped = await skips!.score(task, texts('85', '86'), never).catch((error: unknown) => error);
    expect(skipped).toBeInstanceOf(TaskSkipped);
    expect((skipped as TaskSkipped).cause.message).toMatch(/^the reward http:.*\(task t1/);
  });
});
