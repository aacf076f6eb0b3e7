/** Where the parts of a checkpoint lie, as paths relative to it with `/`; null: there is none. */
export interface CheckpointLayout {
  readonly weights: WeightsLocation;
  readonly optimizer: string | null;
  readonly scheduler: string | null;
  readonly rng: string | null;
  readonly trainingState: string | null;
  /** The Hugging Face Trainer's own, where there is no `training_state.json`. */
  readonly trainerState: string | null;
  readonly trainingMetadata: string | null;
  readonly policyVersion: string | null;
  /** Directory of `tokenizer.json`, '' for the checkpoint itself. */
  readonly tokenizer: string | null;
}

/** `peft` and `safetensors`: a directory to be read as a whole ('' for the checkpoint itself). `torch`: a file with a state dict. */
export interface WeightsLocation {
  readonly format: 'peft' | 'safetensors' | 'torch';
  readonly path: string;
}

/** Most specific first: an adapter beside base weights is what was trained. */
const WEIGHT_FILES: readonly (readonly [name: string, format: WeightsLocation['format']])[] = [
  ['adapter_model.safetensors', 'peft'],
  ['model.safetensors', 'safetensors'],
  ['model.safetensors.index.json', 'safetensors'],
  ['model.pt', 'torch'],
  ['pytorch_model.bin', 'torch'],
];

/**
 * Finds the parts of a checkpoint among its files (requirements C1 and C6): ours, with `model/` and `tokenizer/`; older ones with adapter
 * and tokenizer in the checkpoint's root, as PEFT and the Hugging Face Trainer write; and `model.pt`. Undefined without weights.
 */
export function detectLayout(paths: Iterable<string>): CheckpointLayout | undefined {
  const present = new Set(paths);
  const weights = findWeights(present);
  if (weights === undefined) return undefined;
  const optional = (name: string) => (present.has(name) ? name : null);
  return {
    weights,
    optimizer: optional('optimizer.pt'),
    scheduler: optional('scheduler.pt'),
    rng: optional('rng_state.json'),
    trainingState: optional('training_state.json'),
    trainerState: optional('trainer_state.json'),
    trainingMetadata: optional('training_metadata.json'),
    policyVersion: optional('model_version.txt'),
    tokenizer: ['tokenizer', 'model', ''].find((folder) => present.has(within(folder, 'tokenizer.json'))) ?? null,
  };
}

/**
 * The checkpoint to continue from in a folder that holds several (`checkpoints/checkpoint-<n>`, `checkpoint-<n>`,
 * `checkpoint-samples-<n>`, `final`, `best_model`, `best`), relative to it: the highest number, else `final`, else the best.
 */
export function newestCheckpoint(paths: Iterable<string>): string | undefined {
  const filesByFolder = new Map<string, string[]>();
  for (const file of paths) {
    const match = /^((?:checkpoints\/)?(?:checkpoint-(?:samples-)?\d+|final|best_model|best))\/(.+)$/.exec(file);
    if (match === null) continue;
    const [, folder, rest] = match as unknown as [string, string, string];
    const files = filesByFolder.get(folder);
    if (files === undefined) filesByFolder.set(folder, [rest]);
    else files.push(rest);
  }
  const usable = [...filesByFolder].filter(([, files]) => detectLayout(files) !== undefined).map(([folder]) => folder);
  return usable.sort((a, b) => rank(b) - rank(a) || (a < b ? -1 : 1))[0];
}

function rank(folder: string): number {
  const number = /-(\d+)$/.exec(folder)?.[1];
  if (number !== undefined) return Number(number);
  return folder.endsWith('final') ? -1 : -2;
}

function findWeights(present: ReadonlySet<string>): WeightsLocation | undefined {
  for (const folder of ['model', '']) {
    const found = WEIGHT_FILES.find(([name]) => present.has(within(folder, name)));
    if (found === undefined) continue;
    const [name, format] = found;
    return { format, path: format === 'torch' ? within(folder, name) : folder };
  }
  return undefined;
}

function within(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
