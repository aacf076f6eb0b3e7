import { execFile } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { vllmHealth } from '../../services/control-plane/runtimes/vllm-role.ts';
import { parseCommand } from '../support/fake-vllm/arguments.ts';
import { startTinyFake, type TinyFake } from '../support/fake-vllm/tiny-fake.ts';

const fakes: TinyFake[] = [];
const start = async (given: Parameters<typeof startTinyFake>[0]): Promise<TinyFake> => {
  const fake = await startTinyFake(given);
  fakes.push(fake);
  return fake;
};
afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.close();
});

async function post(fake: TinyFake, path: string, body: unknown = {}) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${fake.origin}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, text: await response.text() };
}
const get = async (fake: TinyFake, path: string) => await (await fetch(`${fake.origin}${path}`)).text();
const load = (fake: TinyFake, name: string, path: string, more: object = {}) =>
  post(fake, '/v1/load_lora_adapter', { lora_name: name, lora_path: path, ...more });

interface Choice {
  token_ids: number[];
  finish_reason: string;
  logprobs: { token_logprobs: number[] };
  prompt_logprobs: unknown;
}
async function complete(fake: TinyFake, model: string, options: object = {}): Promise<Choice> {
  const asked = { model, prompt: [[40, 41, 42, 43]], max_tokens: 4, seed: 3, ignore_eos: true, logprobs: 0 };
  const { status, text } = await post(fake, '/v1/completions', { ...asked, return_token_ids: true, ...options });
  expect(status, text).toBe(200);
  return (JSON.parse(text) as { choices: [Choice] }).choices[0];
}
/** What a model makes of a prompt: equal for equal weights alone. */
const says = async (fake: TinyFake, model: string) =>
  JSON.stringify((await complete(fake, model, { prompt_logprobs: 0 })).prompt_logprobs);

describe('the fake vLLM', () => {
  it('refuses options and values that vLLM does not have', () => {
    const refused =
      (...more: string[]) =>
      () =>
        parseCommand(['vllm', 'serve', '/m', ...more], {});
    expect(refused('--adapters-root', '/a')).toThrow('adapters-root');
    expect(refused('--enable-lora', '--max-lora-rank', '24')).toThrow('invalid choice');
    expect(refused('--max-loras', '4', '--max-cpu-loras', '2')).toThrow('max_cpu_loras');
    expect(refused()).not.toThrow();
  });

  it('has development endpoints and runtime adapters only where its variables say so', async () => {
    const plain = await start({ profile: 'split-2' });
    expect((await fetch(`${plain.origin}/is_sleeping`)).status).toBe(404);
    expect((await post(plain, '/sleep')).status).toBe(404);
    expect((await post(plain, '/tandem/v1/load_model')).status).toBe(404);
    const shared = await start({ profile: 'shared-1' });
    expect(await get(shared, '/is_sleeping')).toBe('{"is_sleeping":false}');
    const mute = await start({ profile: 'shared-1', without: ['--enable-sleep-mode'] });
    expect((await post(mute, '/sleep?level=1')).status).toBe(500);
  });

  it('passes the health command of its container once it has completed something, and fails it when the engine is dead', async () => {
    const fake = await start({ profile: 'split-2' });
    const [program = '', ...args] = vllmHealth({ name: fake.name, port: Number(new URL(fake.origin).port) });
    const marker = `${fake.directory}/answered`;
    const probe = () =>
      promisify(execFile)(
        program,
        args.map((arg) => arg.replaceAll('/tmp/answered', marker)),
      );
    await probe();
    await probe();
    expect(fake.calls).toEqual(['GET /health', 'POST /v1/completions', 'GET /health']);
    fake.faults.dead = true;
    await expect(probe()).rejects.toThrow('503');
  });

  it('gives logprobs before the temperature unless it is told otherwise', async () => {
    const [told, untold] = [
      await start({ profile: 'split-2' }),
      await start({ profile: 'split-2', without: ['--logprobs-mode'] }),
    ];
    const [processed, raw] = [
      await complete(told, told.name, { temperature: 0.5 }),
      await complete(untold, untold.name, { temperature: 0.5 }),
    ];
    expect(raw.token_ids).toEqual(processed.token_ids);
    expect(raw.logprobs.token_logprobs).not.toEqual(processed.logprobs.token_logprobs);
    const [warm, alike] = [await complete(told, told.name), await complete(untold, untold.name)];
    expect(alike.logprobs).toEqual(warm.logprobs);
  });

  it('gives what it has of a completion when it is paused, and holds back what comes then', async () => {
    const fake = await start({ profile: 'shared-1' });
    const cut = complete(fake, fake.name, { max_tokens: 240 });
    await expect.poll(async () => /^vllm:num_requests_running\S* 1$/m.test(await get(fake, '/metrics'))).toBe(true);
    expect(JSON.parse((await post(fake, '/pause?mode=abort')).text)).toEqual({ status: 'paused' });
    expect((await cut).finish_reason).toBe('abort');
    expect((await cut).token_ids.length).toBeLessThan(240);
    let answered = false;
    const held = complete(fake, fake.name).then(() => {
      answered = true;
    });
    expect(await get(fake, '/is_paused')).toBe('{"is_paused":true}');
    expect(answered).toBe(false);
    await post(fake, '/resume');
    await held;
  });

  it('sleeps and wakes, and what came meanwhile is answered then', async () => {
    const fake = await start({ profile: 'shared-1' });
    await post(fake, '/sleep?level=1');
    expect(await get(fake, '/is_sleeping')).toBe('{"is_sleeping":true}');
    expect((await fetch(`${fake.origin}/health`)).status).toBe(200);
    const held = complete(fake, fake.name);
    await post(fake, '/wake_up');
    expect((await held).finish_reason).toBe('length');
  });
});

describe('the defects of vLLM, in the fake', () => {
  it('serves the base model under an adapter’s name', async () => {
    const fake = await start({ profile: 'split-2', faults: { servesBase: true } });
    expect((await load(fake, 'a-v1', await fake.writeAdapter('v1', 1))).status).toBe(200);
    expect(await says(fake, 'a-v1')).toBe(await says(fake, fake.name));
  });

  it('answers known prompts of a name that is loaded again with the adapter before', async () => {
    const fake = await start({ profile: 'split-2', faults: { staleCache: true } });
    const [first, second] = [await fake.writeAdapter('v1', 1), await fake.writeAdapter('v2', 2)];
    await load(fake, 'again', first);
    const before = await complete(fake, 'again');
    await post(fake, '/v1/unload_lora_adapter', { lora_name: 'again' });
    await load(fake, 'again', second);
    await load(fake, 'new', second);
    const truth = await complete(fake, 'new');
    expect(truth.logprobs).not.toEqual(before.logprobs);
    expect((await complete(fake, 'again')).logprobs).toEqual(before.logprobs);
    // A prompt that is not cached, a salt, and logprobs of the prompt itself all go past the cache.
    expect((await complete(fake, 'again', { cache_salt: 'v2' })).logprobs).toEqual(truth.logprobs);
    expect(await says(fake, 'again')).toBe(await says(fake, 'new'));
  });

  it('loses adapters in its sleep and goes on listing them', async () => {
    const fake = await start({ profile: 'shared-1', faults: { losesAdaptersInSleep: true } });
    await load(fake, 'a-v1', await fake.writeAdapter('v1', 1));
    const [base, awake] = [await says(fake, fake.name), await says(fake, 'a-v1')];
    expect(awake).not.toBe(base);
    await post(fake, '/sleep?level=1');
    await post(fake, '/wake_up');
    expect(await get(fake, '/v1/models')).toContain('a-v1');
    expect(await says(fake, 'a-v1')).toBe(base);
    await load(fake, 'a-v1w', `${fake.directory}/adapters/v1`);
    expect(await says(fake, 'a-v1w')).toBe(awake);
  });

  it('reads an adapter that was loaded in place again for every request', async () => {
    const fake = await start({ profile: 'split-2' });
    const [first, second] = [await fake.writeAdapter('v1', 1), await fake.writeAdapter('v2', 2)];
    await load(fake, 'a', first, { load_inplace: true });
    const before = await says(fake, 'a');
    await cp(second, first, { recursive: true });
    expect(await says(fake, 'a')).not.toBe(before);
    expect(fake.reads.get('a')).toBe(3);
    await load(fake, 'b', second);
    await says(fake, 'b');
    expect(fake.reads.get('b')).toBe(1);
  });
});
