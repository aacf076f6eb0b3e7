import { onTestFinished } from 'vitest';
import { preparePolicy } from './published-policy.ts';
import { startTinyFake } from './tiny-fake.ts';

type FakeOptions = Parameters<typeof startTinyFake>[0];

/** A fake that ends with the test. */
export async function startFake(given: FakeOptions) {
  const fake = await startTinyFake(given);
  onTestFinished(() => fake.close());
  return fake;
}

/** A fake and, until the test ends, a trainer's policy before it. */
export async function openPublishing(given: FakeOptions, options: { temperature?: number; deadline?: number } = {}) {
  const fake = await startFake(given);
  const mode = given.profile === 'shared-1' ? 'sleep' : 'none';
  const trainer = await preparePolicy({
    model: fake.model,
    origin: () => fake.origin,
    handOff: { mode, deadline: options.deadline ?? 10 },
    temperature: options.temperature ?? 1,
  });
  onTestFinished(trainer.dispose);
  return { fake, trainer, publisher: trainer.publisherOf('run-x-a1') };
}

/** Names of the adapters that a server has. */
export async function adaptersOf(origin: string): Promise<string[]> {
  const { data } = (await (await fetch(`${origin}/v1/models`)).json()) as {
    data: { id: string; parent: string | null }[];
  };
  return data.filter(({ parent }) => parent !== null).map(({ id }) => id);
}

export const draw = { prompt: [40, 41], n: 1, maxTokens: 4, temperature: 1, seed: 1, stopTokenIds: [] };
