import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { parseBoundedJson } from '../../platform/bounded-json.ts';
import { checkObjectKey, InvalidObjectKeyError, type ObjectStore } from '../../platform/object-store.ts';
import { storageFault } from '../../platform/storage-error.ts';
import { ModelFetchError } from './model-fetch-error.ts';
import type { ModelBytes, ModelFile, ModelListing } from './model-files.ts';
import { INDEX, isSharded, neededFiles } from './needed-files.ts';

/** Beside a model: what `sha256sum *` prints. */
const SUMS = 'SHA256SUMS';
const SMALL_BYTES = 32 * 2 ** 20;

type ReadStore = Pick<ObjectStore, 'list' | 'read'>;

/** Models are below `models/`: what Tandem keeps beside it is not for runs to name. Throws ModelFetchError. */
export function checkModelPrefix(written: string): string {
  const prefix = written.replace(/\/+$/, '');
  try {
    checkObjectKey(prefix);
  } catch (error) {
    if (!(error instanceof InvalidObjectKeyError)) throw error;
    throw new ModelFetchError('refused', `${error.message.replace(/\.$/, '')}; name it as in store:models/my-model`);
  }
  if (prefix.startsWith('models/')) return prefix;
  throw new ModelFetchError(
    'refused',
    `store:${written} is not below models/, where the models of the object store are; name it as in store:models/my-model`,
  );
}

/**
 * What of the objects below a prefix is a model. Its digest is of their names, sizes and stated hashes: an object that was replaced by one of the same size, with
 * no SHA256SUMS, is not noticed.
 * @throws ModelFetchError
 */
export async function listStoreModel(store: ReadStore, prefix: string): Promise<ModelListing> {
  const where = `store:${prefix}`;
  const sizes = new Map<string, number>();
  await reaching(where, async () => {
    for await (const { key, size } of store.list(`${prefix}/`)) sizes.set(key.slice(prefix.length + 1), size);
  });
  if (sizes.size === 0) {
    throw new ModelFetchError(
      'missing',
      `${where} holds nothing; copy a model directory there, such as: mc cp --recursive my-model/ ALIAS/BUCKET/${prefix}/`,
    );
  }
  const read = async (name: string): Promise<string> => {
    if ((sizes.get(name) ?? 0) > SMALL_BYTES)
      throw new ModelFetchError(
        'refused',
        `${where}/${name} is too large for what it should be; put the right one there`,
      );
    return await reaching(where, () => text(store.read(`${prefix}/${name}`)));
  };
  const readJson = async (name: string): Promise<unknown> => {
    const content = await read(name);
    try {
      return parseBoundedJson(content, 64);
    } catch (cause) {
      throw new ModelFetchError('refused', `${where}/${name} is no JSON; put the right one there`, { cause });
    }
  };
  const paths = [...sizes.keys()];
  if (!isSharded(paths)) neededFiles(paths, null, where);
  const config = await readJson('config.json');
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new ModelFetchError('refused', `${where}/config.json is not a JSON object; put the right one there`);
  }
  const sums = sizes.has(SUMS) ? readSums(await read(SUMS)) : new Map<string, string>();
  const files = neededFiles(paths, isSharded(paths) ? await readJson(INDEX) : null, where).map((path): ModelFile => {
    const hex = sums.get(path);
    return { path, size: sizes.get(path) as number, hash: hex === undefined ? null : { algorithm: 'sha256', hex } };
  });
  const digest = createHash('sha256');
  for (const { path, size, hash } of files) digest.update(`${path} ${size} ${hash?.hex ?? ''}\n`);
  return {
    origin: { kind: 'store', prefix, digest: digest.digest('hex').slice(0, 40) },
    files,
    config: config as Record<string, unknown>,
  };
}

export function storeBytes(store: ReadStore, prefix: string): ModelBytes {
  return {
    open: async ({ path, size }, from) => ({
      at: from,
      body: readChunks(store, `${prefix}/${path}`, { start: from, end: size - 1 }),
    }),
  };
}

async function* readChunks(
  store: ReadStore,
  key: string,
  range: { start: number; end: number },
): AsyncGenerator<Buffer> {
  const stream = store.read(key, range);
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw asFetchError(`store:${key}`, error);
  } finally {
    stream.destroy();
  }
}

async function reaching<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asFetchError(where, error);
  }
}

function asFetchError(where: string, error: unknown): unknown {
  const fault = storageFault(error);
  if (fault === null) return error;
  return new ModelFetchError('unreachable', `${where} cannot be read: ${fault.message}`, { cause: error });
}

function readSums(content: string): Map<string, string> {
  const lines = content.split('\n').flatMap((line) => {
    const [, hex, name] = /^([0-9a-f]{64}) [ *](?:\.\/)?(.+?)\r?$/.exec(line) ?? [];
    return hex === undefined || name === undefined ? [] : [[name, hex] as const];
  });
  return new Map(lines);
}
