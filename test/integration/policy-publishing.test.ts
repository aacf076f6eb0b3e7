import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { preparePolicy } from '../support/fake-vllm/published-policy.ts';
import { startTinyFake } from '../support/fake-vllm/tiny-fake.ts';

const never = new AbortController().signal;
const clean: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const each of clean.splice(0).reverse()) await each();
});

type FakeOptions = Parameters<typeof startTinyFake>[0];
const startFake = async (given: FakeOptions) => {
  const fake = await startTinyFake(given);
  clean.push(() => fake.close());
  return fake;
};

async function open(given: FakeOptions, options: { temperature?: number; deadline?: number } = {}) {
  const fake = await startFake(given);
  const mode = given.profile === 'shared-1' ? 'sleep' : 'none';
  const trainer = await preparePolicy({
    model: fake.model,
    origin: () => fake.origin,
    handOff: { mode, deadline: options.deadline ?? 10 },
    temperature: options.temperature ?? 1,
  });
  clean.push(trainer.dispose);
  return { fake, trainer, publisher: trainer.publisherOf('run-x-a1') };
}
const adaptersOf = async (origin: string) => {
  const { data } = (await (await fetch(`${origin}/v1/models`)).json()) as {
    data: { id: string; parent: string | null }[];
  };
  return data.filter(({ parent }) => parent !== null).map(({ id }) => id);
};
const draw = { prompt: [40, 41], n: 1, maxTokens: 4, temperature: 1, seed: 1, stopTokenIds: [] };

describe('a policy version that is published to vLLM', () => {
  it('has a name of its own, is checked before it is routed to, and the one before is unloaded and removed', async () => {
    const { fake, trainer, publisher } = await open({ profile: 'split-2' });
    await publisher.serve(0, never);
    expect(await adaptersOf(fake.origin)).toEqual(['run-x-a1-v0']);
    trainer.move(0.3);
    await publisher.serve(1, never);
    await publisher.serve(1, never);
    expect(await adaptersOf(fake.origin)).toEqual(['run-x-a1-v1']);
    expect(await readdir(trainer.directory)).toEqual(['run-x-a1-v1']);
    const published = ['POST /v1/load_lora_adapter', 'POST /v1/completions', 'POST /v1/completions'];
    const calls = fake.calls.filter((call) => call.startsWith('POST'));
    expect(calls).toEqual([...published, ...published, 'POST /v1/unload_lora_adapter']);
    expect((await trainer.server.complete(draw, never)).completions).toHaveLength(1);
  });

  it('is unloaded only once no completion comes from it any more', async () => {
    const { fake, trainer, publisher } = await open({ profile: 'split-2' });
    await publisher.serve(0, never);
    const long = trainer.server.complete({ ...draw, maxTokens: 200 }, never);
    trainer.move(0.3);
    await publisher.serve(1, never);
    expect((await long).completions[0]!.finishReason).toMatch(/stop|length/);
    expect(fake.calls.at(-1)).toBe('POST /v1/unload_lora_adapter');
  });

  it('does not wait for completions of versions that may lag behind, and holds no more of them than that', async () => {
    const { fake, trainer } = await open({ profile: 'split-2' });
    const publisher = trainer.publisherOf('run-x-a1', 1);
    await publisher.serve(0, never);
    const long = trainer.server.complete({ ...draw, n: 8, maxTokens: 240 }, never);
    trainer.move(0.3);
    await publisher.serve(1, never);
    expect(await adaptersOf(fake.origin)).toEqual(['run-x-a1-v0', 'run-x-a1-v1']);
    expect((await trainer.server.complete(draw, never)).policy).toMatchObject({ name: 'run-x-a1-v1', version: 1 });
    trainer.move(0.2);
    await publisher.serve(2, never);
    expect((await long).policy).toMatchObject({ name: 'run-x-a1-v0', version: 0 });
    await expect.poll(() => adaptersOf(fake.origin)).toEqual(['run-x-a1-v2']);
  });

  it('is not compared with a policy that has changed since', async () => {
    let fake = await startFake({ profile: 'split-2' });
    const { model } = fake;
    const trainer = await preparePolicy({ model, origin: () => fake.origin });
    clean.push(trainer.dispose);
    const publisher = trainer.publisherOf('run-x-a1');
    await publisher.serve(0, never);
    publisher.policyChanges();
    trainer.move(0.3);
    fake = await startFake({ profile: 'split-2', model });
    expect((await trainer.server.complete(draw, never)).policy.version).toBe(0);
  });

  it('is found to be the base model under its name, even before that is far from it', async () => {
    const { trainer, publisher } = await open({ profile: 'split-2', faults: { servesBase: true } });
    await publisher.serve(0, never);
    trainer.moveBy(0.03);
    await expect(publisher.serve(1, never)).rejects.toMatchObject({
      reason: 'inference_failed',
      message: expect.stringContaining('still says what it said for run-x-a1-v0'),
    });
    trainer.moveBy(0.3);
    await expect(publisher.serve(2, never)).rejects.toMatchObject({
      message: expect.stringMatching(
        /for run-x-a1-v2: the logprobs of a fixed prompt differ by 0\.\d+ on average \(allowed 0\.1\)/,
      ),
    });
  });

  it('is found to be answered from the cache of another with the same name', async () => {
    const { fake, trainer, publisher } = await open({ profile: 'split-2', faults: { staleCache: true } });
    trainer.moveBy(1);
    await publisher.serve(0, never);
    const body = JSON.stringify({ lora_name: 'run-x-a1-v0' });
    const headers = { 'content-type': 'application/json' };
    await fetch(`${fake.origin}/v1/unload_lora_adapter`, { method: 'POST', headers, body });
    trainer.move(0);
    await trainer.dispose();
    await expect(trainer.publisherOf('run-x-a1').serve(0, never)).rejects.toMatchObject({
      message: expect.stringContaining('the logprobs of a completion differ'),
    });
    // A name that was never used goes past it.
    await trainer.publisherOf('run-x-a2').serve(0, never);
  });

  it('is found to come with logprobs before the temperature', async () => {
    const { publisher } = await open({ profile: 'split-2', without: ['--logprobs-mode'] }, { temperature: 0.3 });
    await expect(publisher.serve(0, never)).rejects.toMatchObject({
      remedy: expect.stringContaining('--logprobs-mode processed_logprobs'),
    });
  });

  it('is checked again on a server that was restarted', async () => {
    let fake = await startFake({ profile: 'split-2' });
    const { model } = fake;
    const trainer = await preparePolicy({ model, origin: () => fake.origin });
    clean.push(trainer.dispose);
    trainer.move(0.3);
    await trainer.publisherOf('run-x-a1').serve(3, never);
    const first = fake;
    fake = await startFake({ profile: 'split-2', model });
    expect((await trainer.server.complete(draw, never)).completions).toHaveLength(1);
    expect(await adaptersOf(fake.origin)).toEqual(['run-x-a1-v3']);
    fake = await startFake({ profile: 'split-2', model, faults: { servesBase: true } });
    await expect(trainer.server.complete(draw, never)).rejects.toMatchObject({
      message: expect.stringContaining('does not compute what the trainer computes for run-x-a1-v3'),
    });
    fake = first;
  });

  it.each([
    ['what the trainer computes', false, 'differ by'],
    ['what the server said before, once the policy has changed', true, 'from what it said before'],
  ])('is missed when the server loses it and goes on: compared with %s', async (_, changes, message) => {
    const { fake, trainer, publisher } = await open({ profile: 'split-2' });
    trainer.move(0.3);
    await publisher.serve(1, never);
    if (changes) publisher.policyChanges();
    if (changes) trainer.move(0.1);
    // Whatever makes the trainer look again: here a request that fails, otherwise time.
    Object.assign(fake.faults, { losesAdapters: true, front: '503', times: 1 });
    await expect(trainer.server.complete(draw, never)).rejects.toMatchObject({
      ...{ reason: 'inference_failed', message: expect.stringContaining(message) },
      remedy: expect.stringContaining('serves the same model'),
    });
  });

  it('is not believed of a server that came back with another model', async () => {
    let fake = await startFake({ profile: 'split-2' });
    const trainer = await preparePolicy({ model: fake.model, origin: () => fake.origin });
    clean.push(trainer.dispose);
    await trainer.publisherOf('run-x-a1').serve(0, never);
    const other = path.join(await mkdtemp(path.join(tmpdir(), 'tandem-other-')), 'model');
    clean.push(() => rm(path.dirname(other), { recursive: true }));
    await makeTinyModel(other, { seed: 5 });
    fake = await startFake({ profile: 'split-2', model: other });
    await expect(trainer.server.complete(draw, never)).rejects.toThrow('does not compute what the trainer computes');
  });

  it.each([
    ['is loaded', '/v1/load_lora_adapter'],
    ['is checked', '/v1/completions'],
  ])('is published all the same when the server is restarted elsewhere while it %s', async (_, hangsAt) => {
    const first = await startFake({ profile: 'split-2', faults: { hangsAt } });
    let { origin } = first;
    const trainer = await preparePolicy({ model: first.model, origin: () => origin });
    clean.push(trainer.dispose);
    trainer.move(0.3);
    const serving = trainer.publisherOf('run-x-a1').serve(1, never);
    await expect.poll(() => first.calls).toContain(`POST ${hangsAt}`);
    ({ origin } = await startFake({ profile: 'split-2', model: first.model }));
    first.die();
    await serving;
    expect(await adaptersOf(origin)).toEqual(['run-x-a1-v1']);
  });

  it('is published all the same when the server is restarted while the one before has completions under way', async () => {
    const first = await startFake({ profile: 'split-2' });
    let { origin } = first;
    const trainer = await preparePolicy({ model: first.model, origin: () => origin });
    clean.push(trainer.dispose);
    const publisher = trainer.publisherOf('run-x-a1');
    await publisher.serve(0, never);
    first.faults.slowMs = 60_000;
    const long = trainer.server.complete(draw, never);
    await expect.poll(() => first.calls.filter((call) => call === 'POST /v1/completions')).toHaveLength(3);
    first.faults.slowMs = 0;
    trainer.move(0.3);
    const serving = publisher.serve(1, never);
    await expect.poll(async () => (await trainer.server.complete(draw, never)).policy.version).toBe(1);
    ({ origin } = await startFake({ profile: 'split-2', model: first.model }));
    first.die();
    await serving;
    expect((await long).policy.version).toBe(1);
    expect(await adaptersOf(origin)).toEqual(['run-x-a1-v1']);
  });

  it('that the server cannot find says that both must see the same directory', async () => {
    const { fake, trainer } = await open({ profile: 'split-2' });
    const missing = { kind: 'adapter', version: 0, name: 'x', path: `${fake.directory}/nowhere` } as const;
    await expect(trainer.server.call((client) => client.load(missing, never), never)).rejects.toMatchObject({
      remedy: expect.stringContaining('at the path where the trainer writes them'),
    });
  });
});

describe('GPUs that both roles share', () => {
  it('go to the trainer and back in five steps, each in the log, and the adapter has a new name afterwards', async () => {
    const { fake, trainer, publisher } = await open({ profile: 'shared-1', faults: { losesAdaptersInSleep: true } });
    trainer.move(0.2);
    await publisher.serve(4, never);
    await trainer.handOff.toTrainer(never);
    const asleep = fake.calls.length;
    trainer.move(0.3);
    await publisher.serve(5, never);
    expect(trainer.lines).toEqual([
      'Hand-off 1/5: server asleep | time=…',
      'Hand-off 2/5: trained | time=…',
      'Hand-off 3/5: server awake | time=…',
      'Hand-off 4/5: adapter loaded | time=…',
      'Hand-off 5/5: adapter checked | time=…',
    ]);
    expect(fake.calls).toContain('POST /sleep?level=1');
    expect(fake.calls.slice(asleep).filter((call) => call.startsWith('POST'))).toEqual([
      ...['POST /wake_up', 'POST /v1/load_lora_adapter'],
      ...['POST /v1/completions', 'POST /v1/completions', 'POST /v1/unload_lora_adapter'],
    ]);
    expect(await adaptersOf(fake.origin)).toEqual(['run-x-a1-v5-w1']);
    expect((await trainer.server.complete(draw, never)).completions).toHaveLength(1);
  });

  it('come back with the same version under a new name when nothing was learned', async () => {
    const { fake, trainer, publisher } = await open({ profile: 'shared-1', faults: { losesAdaptersInSleep: true } });
    trainer.move(0.2);
    await publisher.serve(4, never);
    await trainer.handOff.toTrainer(never);
    await publisher.serve(4, never);
    expect(await adaptersOf(fake.origin)).toEqual(['run-x-a1-v4-w1']);
    expect(await readdir(trainer.directory)).toEqual(['run-x-a1-v4']);
  });

  it.each([
    ['does not answer /sleep', { hangsAt: '/sleep' }, 'did not go to sleep within 1 s'],
    ['stays awake', { ignoresSleep: true }, 'did not go to sleep within 1 s'],
  ])('stay with a server that %s, and the attempt ends as unhealthy', async (_, faults, message) => {
    const { trainer, publisher } = await open({ profile: 'shared-1', faults }, { deadline: 1 });
    await publisher.serve(0, never);
    await expect(trainer.handOff.toTrainer(never)).rejects.toMatchObject({
      ...{ reason: 'vllm_unhealthy', message: expect.stringContaining(message) },
      remedy: expect.stringContaining('deadlines.hand_off'),
    });
  });

  it.each([
    ['/wake_up', 'did not wake up within 1 s'],
    ['/v1/load_lora_adapter', 'did not load the adapter within 1 s'],
    ['/v1/completions', 'did not answer the check of its adapter within 1 s'],
  ])('do not come back when %s hangs, and the message says in which step', async (hangsAt, message) => {
    const { fake, trainer, publisher } = await open({ profile: 'shared-1' }, { deadline: 1 });
    await publisher.serve(0, never);
    await trainer.handOff.toTrainer(never);
    fake.faults.hangsAt = hangsAt;
    await expect(publisher.serve(1, never)).rejects.toMatchObject({
      ...{ reason: 'vllm_unhealthy', message: expect.stringContaining(message) },
    });
  });

  it('come back from a server that died in its sleep, though starting it anew takes longer than a step may', async () => {
    const first = await startFake({ profile: 'shared-1' });
    let origin = first.origin;
    const handOff = { mode: 'sleep', deadline: 1 } as const;
    const trainer = await preparePolicy({ model: first.model, origin: () => origin, handOff });
    clean.push(trainer.dispose);
    const publisher = trainer.publisherOf('run-x-a1');
    await publisher.serve(0, never);
    await trainer.handOff.toTrainer(never);
    trainer.move(0.3);
    origin = 'http://127.0.0.1:9';
    const served = publisher.serve(1, never);
    await sleep(1500);
    ({ origin } = await startFake({ profile: 'shared-1', model: first.model }));
    await served;
    expect(await adaptersOf(origin)).toContain('run-x-a1-v1-w1');
    expect(trainer.lines.at(-1)).toBe('Hand-off 5/5: adapter checked | time=…');
  });

  it('cannot be handed over by a server that was not started for it', async () => {
    const { trainer, publisher } = await open({ profile: 'shared-1', without: ['--enable-sleep-mode'] });
    await publisher.serve(0, never);
    await expect(trainer.handOff.toTrainer(never)).rejects.toMatchObject({
      reason: 'inference_failed',
      remedy: expect.stringContaining('--enable-sleep-mode'),
    });
  });
});
