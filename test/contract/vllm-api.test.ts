import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type EmbeddedServer, startEmbeddedServer } from '../../services/inference/testing/embedded-server.ts';
import { writeRandomAdapter } from '../../services/inference/testing/random-adapter.ts';
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

/** A real one, started as test/README.md says. */
const { TANDEM_VLLM_URL: url, TANDEM_VLLM_ADAPTERS: adapters } = process.env;

describe.skipIf(url === undefined)(`the vLLM at TANDEM_VLLM_URL (${url ?? 'not set'})`, () => {
  let directory: string | undefined;

  bothContracts(async () => {
    const origin = new URL(url!).origin;
    const { data } = (await (await fetch(`${origin}/v1/models`)).json()) as { data: Card[] };
    const base = data.find(({ parent }) => parent == null)!;
    directory = await mkdtemp(path.join(tmpdir(), 'tandem-vllm-adapters-'));
    const [first, second] = adapters?.split(':') ?? (await adaptersFor(base, directory));
    if (!first || !second) throw new Error('TANDEM_VLLM_ADAPTERS has to name two adapters with a colon between them');
    // No vocabulary is larger.
    const facts = { origin, model: base.id, contextLength: base.max_model_len, vocabSize: 2 ** 24 };
    return { ...facts, adapterPaths: [first, second], missingAdapterPath: `${first}-that-is-not-there` };
  });

  afterAll(() => directory && rm(directory, { recursive: true, force: true }));
});

/** As `GET /v1/models` lists it. */
interface Card {
  readonly id: string;
  readonly root: string;
  readonly parent?: string | null;
  readonly max_model_len: number;
}

/** Adapters of noise for the model that is served, where server and test see the same files. */
async function adaptersFor({ root }: Card, directory: string): Promise<string[]> {
  if (!existsSync(path.join(root, 'config.json'))) {
    throw new Error(
      `the model that is served (${root}) is no directory here: name two adapters for it, as the server sees them, in TANDEM_VLLM_ADAPTERS`,
    );
  }
  const paths = [1, 2].map((seed) => path.join(directory, `v${seed}`));
  for (const [index, target] of paths.entries()) await writeRandomAdapter(target, { model: root, seed: index + 1 });
  return paths;
}
