import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { resolveRunSpec } from '../../../services/contracts/resolve-run-spec.ts';
import { readGpuProfiles } from '../../../services/control-plane/runs/gpu-profiles.ts';
import { vllmCommand, vllmEnvironment } from '../../../services/control-plane/runtimes/vllm-role.ts';
import { writeRandomAdapter } from '../../../services/inference/testing/random-adapter.ts';
import { makeTinyModel } from '../../../services/model/tiny-model.ts';
import type { Faults } from './faults.ts';
import { type FakeVllm, startFakeVllm } from './start-fake-vllm.ts';

/** A fake over a tiny model, started by the very command line that the control plane writes. */
export interface TinyFake extends FakeVllm {
  readonly directory: string;
  readonly model: string;
  /** Name of the base model. */
  readonly name: string;
  /** Writes an adapter that changes what the model says, and gives its directory. */
  writeAdapter(name: string, seed: number): Promise<string>;
}

const profiles = await readGpuProfiles(path.join(import.meta.dirname, '../../../gpu-profiles'));

export async function startTinyFake(given: {
  /** `shared-1` can sleep; `split-2` has no development endpoints. */
  readonly profile: 'split-2' | 'shared-1';
  readonly faults?: Partial<Faults>;
  /** Leaves these options out, as whoever starts a server by hand may. */
  readonly without?: readonly string[];
  /** A directory of the test's own, which it removes. */
  readonly model?: string;
}): Promise<TinyFake> {
  const directory = await mkdtemp(path.join(tmpdir(), 'tandem-fake-vllm-'));
  const model = given.model ?? path.join(directory, 'model');
  if (given.model === undefined) await makeTinyModel(model, { seed: 0 });
  await mkdir(path.join(directory, 'adapters'));
  const rollout = { max_new_tokens: 16 };
  const resolved = resolveRunSpec({ model: { name: model, max_seq_length: 256 }, rollout });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  const name = 'run-test0000';
  const profile = profiles.get(given.profile)!;
  const server = { spec: resolved.spec, profile, model, name, host: '127.0.0.1', port: 0 };
  const fake = await startFakeVllm({
    command: withoutOptions(vllmCommand(server), given.without ?? []),
    env: vllmEnvironment(server),
    ...(given.faults && { faults: given.faults }),
  });

  async function writeAdapter(adapter: string, seed: number): Promise<string> {
    const target = path.join(directory, 'adapters', adapter);
    await writeRandomAdapter(target, { model, seed });
    return target;
  }

  return {
    ...fake,
    ...{ directory, model, name, writeAdapter },
    async close() {
      await fake.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Each option with its value. */
function withoutOptions(command: readonly string[], names: readonly string[]): string[] {
  return command.filter((word, at) => !names.includes(word) && !names.includes(command[at - 1] ?? ''));
}
