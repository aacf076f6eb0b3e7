import { z } from 'zod';
import { parseBoundedJson } from '../../platform/bounded-json.ts';
import { askHub, createHubAgents, type HubAccess, type HubAnswer, unreachable } from './hub-request.ts';
import { type Asked, judgeAnswer } from './judge-answer.ts';
import { ModelFetchError } from './model-fetch-error.ts';
import type { FileHash, ModelBytes, ModelFile, ModelListing } from './model-files.ts';
import { INDEX, isSharded, neededFiles } from './needed-files.ts';

/** When an answer that stands still is given up, in milliseconds. */
const IDLE_MS = 30_000;
/** The largest indexes have some megabytes. */
const SMALL_BYTES = 32 * 2 ** 20;
const SMALL_DEPTH = 64;

const sibling = z.object({
  rfilename: z.string(),
  size: z.int().min(0).nullish(),
  blobId: z.string().nullish(),
  lfs: z.object({ sha256: z.string(), size: z.int().min(0) }).nullish(),
});
const modelInfo = z.object({ sha: z.string().regex(/^[0-9a-f]{40}$/), siblings: z.array(sibling) });
type Sibling = z.infer<typeof sibling>;

export interface HubClient {
  /** What of a model is to be fetched, at the commit that `revision` means now. Throws ModelFetchError. */
  lookUp(repo: string, revision: string, signal: AbortSignal): Promise<ModelListing>;
  /** The bytes of its files at a commit. */
  bytes(repo: string, commit: string): ModelBytes;
}

/** A model hub as huggingface.co and its mirrors are: https://huggingface.co/docs/hub/api. */
export function createHubClient(access: HubAccess): HubClient {
  const agents = createHubAgents(access.proxies);
  const answer = async (
    path: string,
    asked: Asked,
    options: { method?: 'GET' | 'HEAD'; headers?: Record<string, string>; signal: AbortSignal },
  ): Promise<HubAnswer> => {
    const found = await askHub(path, { access, agents, idleMs: IDLE_MS, ...options });
    const { statusCode = 0 } = found.response;
    if (statusCode === 200 || statusCode === 206 || (statusCode < 400 && options.method === 'HEAD')) return found;
    found.response.resume();
    throw judgeAnswer(found, asked, access);
  };

  const readJson = async (path: string, asked: Asked, signal: AbortSignal): Promise<unknown> => {
    const found = await answer(path, asked, { signal });
    const text = await readSmall(found, signal);
    try {
      return parseBoundedJson(text, SMALL_DEPTH);
    } catch (cause) {
      const what = asked.file === null ? 'its answer' : `${asked.file} of ${asked.repo}`;
      const remedy = asked.file === null ? 'look whether HF_ENDPOINT is a model hub' : 'choose another revision';
      throw new ModelFetchError('refused', `${what} is no JSON; ${remedy}`, { cause });
    }
  };

  return {
    lookUp: async (repo, revision, signal) => {
      const asked: Asked = { repo, revision, file: null };
      const path = `/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
      const info = modelInfo.safeParse(await readJson(path, asked, signal));
      if (!info.success) {
        throw new ModelFetchError(
          'refused',
          `${access.endpoint} does not answer about ${repo} as a model hub does; look whether HF_ENDPOINT is one`,
        );
      }
      const { sha: commit, siblings } = info.data;
      const paths = siblings.map(({ rfilename }) => rfilename);
      const read = (file: string) =>
        readJson(resolvePath(repo, commit, file), { repo, revision: commit, file }, signal);
      const where = `${repo} at ${commit.slice(0, 7)}`;
      // What cannot be fetched at all is found out before anything is read.
      if (!isSharded(paths)) neededFiles(paths, null, where);
      const config = await read('config.json');
      if (typeof config !== 'object' || config === null || Array.isArray(config)) {
        throw new ModelFetchError('refused', `${where}: config.json is not a JSON object; choose another revision`);
      }
      const needed = new Set(neededFiles(paths, isSharded(paths) ? await read(INDEX) : null, where));
      const files: ModelFile[] = [];
      for (const each of siblings.filter(({ rfilename }) => needed.has(rfilename))) {
        files.push(stated(each) ?? (await measured(each.rfilename, { repo, commit, answer, signal })));
      }
      return { origin: { kind: 'hub', repo, revision, commit }, files, config: config as Record<string, unknown> };
    },

    bytes: (repo, commit) => ({
      open: async ({ path, size }, from, signal) => {
        const headers: Record<string, string> = from === 0 ? {} : { range: `bytes=${from}-` };
        const found = await answer(
          resolvePath(repo, commit, path),
          { repo, revision: commit, file: path },
          { headers, signal },
        );
        const { response, url } = found;
        const at = response.statusCode === 206 ? rangeStart(response.headers['content-range']) : 0;
        if (at !== from && at !== 0) {
          response.destroy();
          throw unreachable(url, new Error('it answered with another part than was asked for'));
        }
        const rest = response.headers['content-length'];
        if (rest !== undefined && at + Number(rest) !== size) {
          response.destroy();
          const message = `${path} of ${repo} has ${at + Number(rest)} bytes where the hub states ${size}`;
          throw new ModelFetchError('damaged', `${message}; try again later, or set HF_ENDPOINT to another mirror`);
        }
        return { at, body: withErrors(found, signal) };
      },
    }),
  };
}

function resolvePath(repo: string, commit: string, file: string): string {
  return `/${repo}/resolve/${commit}/${file.split('/').map(encodeURIComponent).join('/')}`;
}

/** What the listing says of a file. */
function stated({ rfilename: path, size, blobId, lfs }: Sibling): ModelFile | null {
  if (lfs != null) return { path, size: lfs.size, hash: { algorithm: 'sha256', hex: lfs.sha256 } };
  if (size == null || blobId == null) return null;
  return { path, size, hash: { algorithm: 'git-blob', hex: blobId } };
}

/** A mirror whose listing has no sizes says them of each file, in the headers that lead to it. */
async function measured(
  path: string,
  {
    repo,
    commit,
    answer,
    signal,
  }: {
    repo: string;
    commit: string;
    answer: (path: string, asked: Asked, options: { method: 'HEAD'; signal: AbortSignal }) => Promise<HubAnswer>;
    signal: AbortSignal;
  },
): Promise<ModelFile> {
  const asked: Asked = { repo, revision: commit, file: path };
  const { hub, response } = await answer(resolvePath(repo, commit, path), asked, { method: 'HEAD', signal });
  response.resume();
  // An answer that leads elsewhere has a length of its own.
  const isFile = response.statusCode === 200;
  const size = Number(hub['x-linked-size'] ?? (isFile ? response.headers['content-length'] : undefined));
  if (!Number.isSafeInteger(size)) {
    throw new ModelFetchError(
      'refused',
      `nobody states how large ${path} of ${repo} is; set HF_ENDPOINT to another mirror`,
    );
  }
  return { path, size, hash: hashOfTag(hub['x-linked-etag'] ?? hub.etag) };
}

/** The entity tag of a file is its sha256 where it lies in a large file store, else the id of its git blob. */
function hashOfTag(tag: string | string[] | undefined): FileHash | null {
  const hex = /^(?:W\/)?"?([0-9a-f]{40}|[0-9a-f]{64})"?$/.exec(String(tag))?.[1];
  if (hex === undefined) return null;
  return { algorithm: hex.length === 64 ? 'sha256' : 'git-blob', hex };
}

function rangeStart(header: string | undefined): number {
  return Number(/^bytes (\d+)-/.exec(header ?? '')?.[1] ?? Number.NaN);
}

async function* withErrors({ response, url }: HubAnswer, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    signal.throwIfAborted();
    throw unreachable(url, error);
  }
}

async function readSmall(answer: HubAnswer, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of withErrors(answer, signal)) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > SMALL_BYTES) {
      throw new ModelFetchError(
        'refused',
        'its answer is larger than any listing or configuration; look whether HF_ENDPOINT is a model hub',
      );
    }
  }
  return Buffer.concat(chunks).toString('utf8');
}
