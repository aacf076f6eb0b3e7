import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type EmbeddedServer, startEmbeddedServer } from '../../services/inference/testing/embedded-server.ts';
import { TINY_VOCAB_SIZE } from '../../services/model/tiny-tokenizer.ts';
import { vllmApiContract } from './vllm-api.contract.ts';

describe('the embedded server', () => {
  let server: EmbeddedServer;

  vllmApiContract(async () => {
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
