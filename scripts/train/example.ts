import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import type { Client } from '../quickstart/client.ts';
import { screen } from '../quickstart/screen.ts';
import { writeTask } from '../quickstart/task.ts';
import type { Method } from './options.ts';
import { type Config, merge, readConfigs } from './read-config.ts';

const DIRECTORY = 'data/example';
/** The name by which shipped configs have the tiny model. */
const MODEL = `${DIRECTORY}/model`;

/** The shipped example of a method: two-digit addition by a tiny model. */
export async function readExample(method: Method, root: string): Promise<Config> {
  const directory = await makeExample(root);
  const { data, ...config } = readConfigs([join(root, `scripts/configs/example_${method}.yaml`)]);
  const files = Object.entries(data as Record<string, string>).map(([key, path]) => [key, join(root, path)] as const);
  return merge(config, { model: { name: join(directory, 'model') }, data: Object.fromEntries(files) });
}

/** Makes the tiny model where a config names it, as those of GSM8K do: it is not shipped. */
export async function makeNamedExample({ model }: Config, root: string): Promise<void> {
  if ((model as { name?: unknown } | undefined)?.name === MODEL) await makeExample(root);
}

/** Makes the tiny model and its data below `data/example`, unless they are there. @returns their directory */
async function makeExample(root: string): Promise<string> {
  const directory = join(root, DIRECTORY);
  if (!existsSync(directory)) {
    const draft = `${directory}.${process.pid}`;
    await makeTinyModel(join(draft, 'model'), { seed: 1 });
    writeTask(draft, 1);
    try {
      renameSync(draft, directory);
      screen.line(`  made a tiny Qwen3 model with random weights and its data: ${directory}`);
    } catch (error) {
      rmSync(draft, { recursive: true });
      // Somebody else was faster.
      if (!existsSync(directory)) throw error;
    }
  }
  // A directory of an older version has no preferences; what it has is written again as it was.
  if (!existsSync(join(directory, 'preferences.jsonl'))) writeTask(directory, 1);
  return directory;
}

/** GRPO and DPO begin where the SFT example ended, once there is one: from random weights no rollout is ever right. */
export async function startFromExample(config: Config, client: Client): Promise<Config> {
  const trained = (await client.newest('sft')).find(
    ({ name, status }) => name === 'example-sft' && status === 'succeeded',
  );
  if (trained === undefined) {
    screen.line(
      '  from random weights, of which little comes; ./scripts/run/train_sft.sh first gives it a model that knows digits',
    );
    return config;
  }
  screen.line(`  from what ${trained.id} (train_sft.sh) has learned`);
  return merge(config, { model: { name: `runs/${trained.id}/best` } });
}
