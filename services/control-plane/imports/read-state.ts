import { z } from 'zod';
import { type Manifest, manifestSchema } from '../../contracts/checkpoint.ts';
import { metricValueSchema } from '../../contracts/record.ts';
import type { FoundCheckpoint } from './find-checkpoints.ts';
import { type ImportFolder, LeftOutError } from './import-folder.ts';

type Json = Record<string, unknown>;

/** What the small files of a checkpoint folder tell of it. */
export interface CheckpointState {
  /** Optimizer step by its state, else by its metadata; null where neither says. */
  readonly step: number | null;
  /** Whether training goes on from its step; else it starts at step 0 with these weights. */
  readonly hasState: boolean;
  readonly epoch: number;
  readonly samples: number;
  readonly elapsedSeconds: number;
  readonly bestMetric: number | null;
  readonly policyVersion: number | null;
  readonly metrics: Manifest['metrics'];
  /** `config` of `training_metadata.json`, `adapter_config.json`, `config.json` and `trainer_state.json` as they are; empty where absent. */
  readonly config: Json;
  readonly adapter: Json;
  readonly model: Json;
  readonly trainer: Json;
  /** Tandem's own manifest, where there is one. */
  readonly manifest: Manifest | null;
}

const count = z.int().min(0);

/** Reads them. @throws LeftOutError when one of them is damaged: a checkpoint that cannot be resumed is not taken over. */
export async function readState(
  folder: ImportFolder,
  { folder: at, parts }: FoundCheckpoint,
): Promise<CheckpointState> {
  const read = async (name: string | null, where = at): Promise<Json> => {
    const path = name === null ? null : where === '' ? name : `${where}/${name}`;
    if (path === null || !folder.files.has(path)) return {};
    const value = await folder.readJson(path);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new LeftOutError(`${path} is not a JSON object`);
    }
    return value as Json;
  };
  const weights = parts.weights.format === 'torch' ? parts.weights.path.replace(/\/?[^/]+$/, '') : parts.weights.path;
  const inWeights = (name: string) => read(weights === '' ? name : `${weights}/${name}`);
  const trainer = await read(parts.trainerState);
  const ours = parts.trainingState !== null;
  const state = ours ? await read(parts.trainingState) : trainer;
  const metadata = await read(parts.trainingMetadata);
  const number = (from: Json, key: string) => {
    const value = from[key] ?? null;
    if (value === null || typeof value === 'number') return value;
    throw new LeftOutError(
      `${at === '' ? '' : `${at}/`}: ${key} is ${JSON.stringify(value).slice(0, 60)}, not a number`,
    );
  };
  const whole = (from: Json, key: string) => {
    const value = number(from, key);
    if (value === null || count.safeParse(value).success) return value;
    throw new LeftOutError(`${at === '' ? '' : `${at}/`}: ${key} is ${value}, not a count`);
  };
  const hasState = ours || parts.trainerState !== null;
  return {
    step: hasState ? (whole(state, 'global_step') ?? 0) : whole(metadata, 'step'),
    hasState,
    epoch: Math.max(0, number(state, 'epoch') ?? 0),
    samples: whole(state, 'samples') ?? 0,
    elapsedSeconds: Math.max(0, number(state, 'elapsed_seconds') ?? 0),
    bestMetric: number(state, 'best_metric'),
    policyVersion: (await readVersion(folder, at, parts.policyVersion)) ?? whole(state, 'policy_version'),
    metrics: metricsOf(metadata['metrics']),
    config: objectOf(metadata['config']),
    adapter: parts.weights.format === 'peft' ? await inWeights('adapter_config.json') : {},
    model: await inWeights('config.json'),
    trainer,
    manifest: manifestOf(await read('manifest.json')),
  };
}

export function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

async function readVersion(folder: ImportFolder, at: string, name: string | null): Promise<number | null> {
  if (name === null) return null;
  const handle = await folder.open(at === '' ? name : `${at}/${name}`);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(32), 0, 32, 0);
    const text = buffer.toString('latin1', 0, bytesRead).trim();
    if (/^\d{1,15}$/.test(text)) return Number(text);
    throw new LeftOutError(`${name} of ${at} is not a whole number`);
  } finally {
    await handle.close();
  }
}

function metricsOf(value: unknown): Manifest['metrics'] {
  const entries = Object.entries(objectOf(value)).flatMap(([name, each]) => {
    const parsed = metricValueSchema.safeParse(each);
    return parsed.success ? [[name, parsed.data] as const] : [];
  });
  return Object.fromEntries(entries.slice(0, 1000));
}

/** One of another version is no reason to refuse the files: they are then taken as they lie there. */
function manifestOf(value: Json): Manifest | null {
  const parsed = manifestSchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}
