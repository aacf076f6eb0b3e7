import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { preparePolicy } from '../support/fake-vllm/published-policy.ts';
import { adaptersOf, draw, openPublishing, startFake } from '../support/fake-vllm/publishing.ts';

const never = new AbortController().signal;

describe('a policy version that is published to vLLM', () => {
  it('has a name of its own, is checked before it is routed to, and the one before is unloaded and removed', async () => {
    const { fake, trainer, publisher } = await openPublishing({ profile: 'split-2' });
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
    const { fake, trainer, publisher } = await openPublishing({ profile: 'split-2' });
    await publisher.serve(0, never);
    const long = trainer.server.complete({ ...draw, maxTokens: 200 }, never);
    trainer.move(0.3);
    await publisher.serve(1, never);
    expect((await long).completions[0]!.finishReason).toMatch(/stop|length/);
    expect(fake.calls.at(-1)).toBe('POST /v1/unload_lora_adapter');
  });

  it('does not wait for completions of versions that may lag behind, and holds no more of them than that', async () => {
    const { fake, trainer } = await openPublishing({ profile: 'split-2' });
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
    onTestFinished(trainer.dispose);
    const publisher = trainer.publisherOf('run-x-a1');
    await publisher.serve(0, never);
    publisher.policyChanges();
    trainer.move(0.3);
    fake = await startFake({ profile: 'split-2', model });
    expect((await trainer.server.complete(draw, never)).policy.version).toBe(0);
  });

  it('is found to be the base model under its name, even before that is far from it', async () => {
    const { trainer, publisher } = await openPublishing({ profile: 'split-2', faults: { servesBase: true } });
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
    const { fake, trainer, publisher } = await openPublishing({ profile: 'split-2', faults: { staleCache: true } });
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
    const { publisher } = await openPublishing(
      { profile: 'split-2', without: ['--logprobs-mode'] },
      { temperature: 0.3 },
    );
    await expect(publisher.serve(0, never)).rejects.toMatchObject({
      remedy: expect.stringContaining('--logprobs-mode processed_logprobs'),
    });
  });

  it('is checked again on a server that was restarted', async () => {
    let fake = await startFake({ profile: 'split-2' });
    const { model } = fake;
    const trainer = await preparePolicy({ model, origin: () => fake.origin });
    onTestFinished(trainer.dispose);
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
    const { fake, trainer, publisher } = await openPublishing({ profile: 'split-2' });
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
    onTestFinished(trainer.dispose);
    await trainer.publisherOf('run-x-a1').serve(0, never);
    const other = path.join(await mkdtemp(path.join(tmpdir(), 'tandem-other-')), 'model');
    onTestFinished(() => rm(path.dirname(other), { recursive: true }));
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
    onTestFinished(trainer.dispose);
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
    onTestFinished(trainer.dispose);
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
    const { fake, trainer } = await openPublishing({ profile: 'split-2' });
    const missing = { kind: 'adapter', version: 0, name: 'x', path: `${fake.directory}/nowhere` } as const;
    await expect(trainer.server.call((client) => client.load(missing, never), never)).rejects.toMatchObject({
      remedy: expect.stringContaining('at the path where the trainer writes them'),
    });
  });
});
