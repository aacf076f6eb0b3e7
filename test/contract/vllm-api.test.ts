import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type EmbeddedServer, startEmbeddedServer } from '../../services/inference/testing/embedded-server.ts';
import { TINY_VOCAB_SIZE } from '../../services/model/tiny-tokenizer.ts';
import { startTinyFake, type TinyFake } from '../support/fake-vllm/tiny-fake.ts';
import { type ServedFacts, vllmApiContract } from './vllm-api.contract.ts';
import { vllmClientContract } from './vllm-client.contract.ts';

/** Both sides of the contract: the server as anybody sees it, and what the trainer's client makes of it. */
function bothContracts(connect: () => Promise<ServedFacts>): void {
  let facts: Promise<ServedFacts> | undefined;
  const once = () => {
    facts ??= connect();
    return facts;
  };
  vllmApiContract(once);
  vllmClientContract(once);
}

describe('the embedded server', () => {
  let server: EmbeddedServer;

  bothContracts(async () => {
    server = await startEmbeddedServer();
    return {
      origin: server.origin,
      model: 'run-tiny',
      contextLength: 256,
      vocabSize: TINY_VOCAB_SIZE,
      adapterPaths: [await server.writeAdapter('v1', { seed: 1 }), await server.writeAdapter('v2', { seed: 2 })],
      missingAdapterPath: path.join(server.adaptersRoot, 'v9'),
    };
  });

  afterAll(() => server.close());

  it('met no error that it did not foresee', () => {
    expect(server.reports).toEqual([]);
  });
});

describe('the fake vLLM', () => {
  let fake: TinyFake;

  bothContracts(async () => {
    fake = await startTinyFake({ profile: 'split-2' });
    return {
      ...{ origin: fake.origin, model: fake.name, contextLength: 256, vocabSize: TINY_VOCAB_SIZE },
      adapterPaths: [await fake.writeAdapter('v1', 1), await fake.writeAdapter('v2', 2)],
      missingAdapterPath: path.join(fake.directory, 'adapters/v9'),
    };
  });

  afterAll(() => fake.close());

  it('met no error that it did not foresee', () => {
    expect(fake.reports).toEqual([]);
  });
});

/** A real one, started as `vllmCommand` says: its URL ending in /v1, and two adapters for its model, as it sees them, separated by a colon. */
const { TANDEM_VLLM_URL: url, TANDEM_VLLM_ADAPTERS: adapters = '' } = process.env;

describe.skipIf(url === undefined || !adapters.includes(':'))('the vLLM at TANDEM_VLLM_URL', () => {
  bothContracts(async () => {
    const origin = new URL(url!).origin;
    const { data } = (await (await fetch(`${origin}/v1/models`)).json()) as {
      data: { id: string; max_model_len: number }[];
    };
    const [first = '', second = ''] = adapters.split(':');
    const { id: model, max_model_len: contextLength } = data[0]!;
    // No vocabulary is larger.
    const facts = { origin, model, contextLength, vocabSize: 2 ** 24 };
    return { ...facts, adapterPaths: [first, second], missingAdapterPath: `${first}-that-is-not-there` };
  });
});
