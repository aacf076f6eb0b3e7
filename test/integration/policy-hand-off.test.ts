import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { preparePolicy } from '../support/fake-vllm/published-policy.ts';
import { adaptersOf, draw, openPublishing, startFake } from '../support/fake-vllm/publishing.ts';

const never = new AbortController().signal;

/** A server that has served version 4 and sleeps, while the trainer has the GPUs. */
async function openAsleep() {
  const opened = await openPublishing({ profile: 'shared-1', faults: { losesAdaptersInSleep: true } });
  opened.trainer.move(0.2);
  await opened.publisher.serve(4, never);
  await opened.trainer.handOff.toTrainer(never);
  return opened;
}

describe('GPUs that both roles share', () => {
  it('go to the trainer and back in five steps, each in the log, and the adapter has a new name afterwards', async () => {
    const { fake, trainer, publisher } = await openAsleep();
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
    const { fake, trainer, publisher } = await openAsleep();
    await publisher.serve(4, never);
    expect(await adaptersOf(fake.origin)).toEqual(['run-x-a1-v4-w1']);
    expect(await readdir(trainer.directory)).toEqual(['run-x-a1-v4']);
  });

  it.each([
    ['does not answer /sleep', { hangsAt: '/sleep' }, 'did not go to sleep within 1 s'],
    ['stays awake', { ignoresSleep: true }, 'did not go to sleep within 1 s'],
  ])('stay with a server that %s, and the attempt ends as unhealthy', async (_, faults, message) => {
    const { trainer, publisher } = await openPublishing({ profile: 'shared-1', faults }, { deadline: 1 });
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
    const { fake, trainer, publisher } = await openPublishing({ profile: 'shared-1' }, { deadline: 1 });
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
    onTestFinished(trainer.dispose);
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
    const { trainer, publisher } = await openPublishing({ profile: 'shared-1', without: ['--enable-sleep-mode'] });
    await publisher.serve(0, never);
    await expect(trainer.handOff.toTrainer(never)).rejects.toMatchObject({
      reason: 'inference_failed',
      remedy: expect.stringContaining('--enable-sleep-mode'),
    });
  });
});
