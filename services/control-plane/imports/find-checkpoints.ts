import type { Manifest } from '../../contracts/checkpoint.ts';
import { type CheckpointLayout, detectLayout } from '../../contracts/checkpoint-layout.ts';
import { type LeftOut, LeftOutError } from './import-folder.ts';

export type ImportLayout = 'tandem' | 'peft' | 'hf-trainer' | 'samples' | 'model-pt';

/** A folder that holds a checkpoint, and how its files are called in the store. */
export interface FoundCheckpoint {
  /** Relative to the imported folder, '' for itself. */
  readonly folder: string;
  readonly layout: ImportLayout;
  readonly parts: CheckpointLayout;
  /** Why it was saved, by the name of its folder. */
  readonly purpose: 'step' | 'best' | 'final';
  /** The number in the name of its folder, in optimizer steps or in training samples; null where there is none. */
  readonly number: { readonly value: number; readonly of: 'steps' | 'samples' } | null;
  /** `from` is relative to the imported folder, `to` to the checkpoint. */
  readonly files: readonly { readonly from: string; readonly to: string }[];
  readonly leftOut: readonly LeftOut[];
}

const NESTED = /^((?:checkpoints\/)?(?:checkpoint-(?:samples-)?\d+(?:\/(?:best|final))?|final|best_model|best))\/(.+)$/;
const WEIGHTS =
  /^(adapter_model\.safetensors|adapter_config\.json|model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json|model\.pt|pytorch_model\.bin|config\.json|generation_config\.json)$/;
const FULL_WEIGHTS =
  /^(model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json|model\.pt|pytorch_model\.bin)$/;
const TOKENIZER =
  /^(tokenizer.*\.json|tokenizer\.model|special_tokens_map\.json|vocab\.json|merges\.txt|added_tokens\.json|chat_template\.\w+)$/;
const STATE =
  /^(optimizer\.pt|scheduler\.pt|rng_state\.json|training_state\.json|training_metadata\.json|trainer_state\.json|model_version\.txt)$/;
const STORABLE = /^[A-Za-z0-9._/-]{1,512}$/;

/**
 * The checkpoints in a folder by the names of its files (requirement C6): the folder itself, and `checkpoint-<n>`, `checkpoint-samples-<n>`, `best_model`,
 * `best` and `final` in it or in its `checkpoints/`. Pure.
 *
 * @param name of the folder itself, which may be `checkpoint-40`
 */
export function findCheckpoints(name: string, paths: Iterable<string>): FoundCheckpoint[] {
  const all = [...paths];
  const nested = new Map<string, string[]>();
  for (const path of all) {
    const folder = NESTED.exec(path)?.[1];
    if (folder === undefined) continue;
    const files = nested.get(folder);
    if (files === undefined) nested.set(folder, [path]);
    else files.push(path);
  }
  const below = [...nested].flatMap(([folder, files]) => toCheckpoint({ folder, called: folder, files }) ?? []);
  const claimed = new Set([...nested.values()].flat());
  const own = all.filter((path) => !claimed.has(path));
  // Beside checkpoints the folder's own weights are what training ended with, as `Trainer.save_model()` leaves them.
  const itself = toCheckpoint({ folder: '', called: below.length > 0 ? 'final' : name, files: own });
  return itself === undefined ? below : [...below, itself];
}

/**
 * The same checkpoint with exactly the files that the manifest beside them lists, under the names that it gives them.
 * @throws LeftOutError when one of them is not there
 */
export function asListed(found: FoundCheckpoint, manifest: Manifest, present: ReadonlySet<string>): FoundCheckpoint {
  const files = manifest.files.map(({ path }) => ({
    from: found.folder === '' ? path : `${found.folder}/${path}`,
    to: path,
  }));
  const absent = files.find(({ from }) => !present.has(from));
  if (absent !== undefined) throw new LeftOutError(`${absent.from} is missing, and manifest.json lists it`);
  const listed = new Set(files.map(({ from }) => from));
  const extra = found.files.filter(({ from }) => !listed.has(from));
  return {
    ...found,
    files,
    leftOut: [
      ...found.leftOut.filter(({ path }) => !listed.has(path)),
      ...extra.map(({ from }) => ({ path: from, why: 'is not listed in manifest.json' })),
    ],
  };
}

function toCheckpoint({
  folder,
  called,
  files,
}: {
  folder: string;
  called: string;
  files: readonly string[];
}): FoundCheckpoint | undefined {
  const within = (path: string) => (folder === '' ? path : path.slice(folder.length + 1));
  const parts = detectLayout(files.map(within));
  if (parts === undefined) return undefined;
  const last = called.split('/').at(-1) ?? '';
  const leftOut: LeftOut[] = [];
  const taken: { from: string; to: string }[] = [];
  for (const from of files) {
    const path = within(from);
    if (path === 'manifest.json') continue;
    const to = placeOf(path, parts);
    if (typeof to === 'string') taken.push({ from, to });
    // The imported folder itself also holds logs and the like, which are looked at elsewhere.
    else if (folder !== '' || to.isState) leftOut.push({ path: from, why: to.why });
  }
  return {
    folder,
    layout: layoutOf(last, called, parts),
    parts,
    purpose: purposeOf(last),
    number: numberOf(last),
    files: taken,
    leftOut,
  };
}

/** Where a file of a checkpoint goes: weights to `model/`, the tokenizer to `tokenizer/`, state to the root. Or why it goes nowhere. */
function placeOf(path: string, parts: CheckpointLayout): string | { why: string; isState: boolean } {
  const [folder, name] = path.includes('/') ? (path.split(/\/(.*)/) as [string, string]) : ['', path];
  if (/^(rng_state(_\d+)?\.pth|training_args\.bin|scaler\.pt)$/.test(path)) {
    return { why: 'is a pickle of Python objects, which is never read', isState: true };
  }
  if (!STORABLE.test(path)) {
    return {
      why: 'has a name that the store cannot hold; use letters, digits, dots, hyphens and underscores',
      isState: false,
    };
  }
  const weightsFolder =
    parts.weights.format === 'torch' ? (parts.weights.path.startsWith('model/') ? 'model' : '') : parts.weights.path;
  if (folder === weightsFolder && WEIGHTS.test(name)) {
    if (parts.weights.format !== 'peft' || !FULL_WEIGHTS.test(name)) return `model/${name}`;
    return { why: 'lies beside an adapter, which is what was trained', isState: true };
  }
  if (folder === parts.tokenizer && TOKENIZER.test(name)) return `tokenizer/${name}`;
  if (folder === '' && STATE.test(name)) return path;
  return { why: 'is no part of a checkpoint', isState: false };
}

function layoutOf(last: string, called: string, parts: CheckpointLayout): ImportLayout {
  if (called.includes('checkpoint-samples-') || last === 'best') return 'samples';
  if (parts.weights.path.split('/')[0] === 'model') return 'tandem';
  if (parts.weights.format === 'torch') return 'model-pt';
  if (parts.trainerState !== null || parts.weights.format === 'safetensors') return 'hf-trainer';
  return 'peft';
}

function purposeOf(last: string): FoundCheckpoint['purpose'] {
  if (last === 'best_model' || last === 'best') return 'best';
  return last === 'final' ? 'final' : 'step';
}

function numberOf(last: string): FoundCheckpoint['number'] {
  const match = /^checkpoint-(samples-)?(\d{1,15})$/.exec(last);
  return match === null ? null : { value: Number(match[2]), of: match[1] === undefined ? 'steps' : 'samples' };
}
