import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One version of a model as the hub has it. */
export interface HubModel {
  /** Paths and contents. Weights lie in the store for large files, all else in git. */
  files: Record<string, string | Uint8Array>;
  /** Only `token` may read its files; that there is such a model everybody may know. */
  gated?: boolean;
  /** Only `token` may know of it. */
  private?: boolean;
}

/** What the hub does instead of what it should, for the next `times` requests whose path matches. */
export interface HubFault {
  path: RegExp;
  times?: number;
  /** Answers so. */
  status?: number;
  headers?: Record<string, string>;
  /** Breaks the connection after so many bytes of the body. */
  cutAfter?: number;
  /** Sends other bytes of the same number. */
  wrongBytes?: boolean;
  /** Sends the whole file, whatever part was asked for. */
  ignoreRange?: boolean;
  /** Sends nothing until then. */
  until?: Promise<void>;
}

export interface HubRequestSeen {
  server: 'hub' | 'files';
  method: string;
  path: string;
  range: string | null;
  authorization: string | null;
}

/** A stand-in for huggingface.co: its API, its files, and beside it, on another port, the server that large files are sent from. */
export interface ModelHub {
  url: string;
  /** The only token it accepts. */
  token: string;
  requests: HubRequestSeen[];
  /** Puts a new commit on a branch and gives its id. */
  put(repo: string, model: HubModel, branch?: string): string;
  fault(fault: HubFault): void;
  /** Whether its listings state sizes and hashes; some mirrors' do not. */
  statesSizes: boolean;
  close(): Promise<void>;
}

interface Stored {
  content: Buffer;
  isLarge: boolean;
  blob: string;
  sha256: string;
}

export async function startModelHub(): Promise<ModelHub> {
  const commits = new Map<string, Map<string, Stored>>();
  const branches = new Map<string, string>();
  const restricted = new Map<string, 'gated' | 'private'>();
  const links = new Map<string, Stored>();
  const faults: (HubFault & { left: number })[] = [];
  const servers = [createServer(onHub), createServer(onFiles)] as const;
  const [url, filesUrl] = await Promise.all(servers.map(listen));

  const hub: ModelHub = {
    url: url as string,
    token: `hf_${randomBytes(12).toString('hex')}`,
    requests: [],
    statesSizes: true,
    put(repo, { files, gated, private: isPrivate }, branch = 'main') {
      const stored = new Map(Object.entries(files).map(([path, content]) => [path, store(path, content)]));
      const names = [...stored].map(([path, { sha256 }]) => `${path} ${sha256}`).sort();
      const commit = createHash('sha1')
        .update([repo, ...names].join('\n'))
        .digest('hex');
      commits.set(`${repo}@${commit}`, stored);
      branches.set(`${repo}@${branch}`, commit);
      if (gated || isPrivate) restricted.set(repo, isPrivate ? 'private' : 'gated');
      return commit;
    },
    fault: (fault) => {
      faults.push({ ...fault, left: fault.times ?? 1 });
    },
    close: async () => {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
  return hub;

  function onHub(request: IncomingMessage, response: ServerResponse) {
    note('hub', request);
    const { pathname, searchParams } = new URL(request.url ?? '/', hub.url);
    if (applied(pathname, response)) return;
    const authorization = request.headers.authorization;
    if (authorization !== undefined && authorization !== `Bearer ${hub.token}`) {
      return refuse(response, 401, undefined, 'Invalid credentials in Authorization header');
    }
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/([^/]+)$/.exec(pathname);
    const file =
      /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname) ??
      /^\/api\/resolve-cache\/models\/([^/]+\/[^/]+)\/([^/]+)\/(.+)$/.exec(pathname);
    const [, repo = '', revision = '', path = ''] = (api ?? file ?? []).map(decodeURIComponent);
    const known = [...branches.keys()].some((key) => key.startsWith(`${repo}@`));
    const isKnown = known && (restricted.get(repo) !== 'private' || authorization !== undefined);
    // Who is not known himself is not told what there is.
    if (!isKnown)
      return refuse(response, authorization === undefined ? 401 : 404, 'RepoNotFound', 'Repository not found');
    const commit = branches.get(`${repo}@${revision}`) ?? revision;
    const files = commits.get(`${repo}@${commit}`);
    if (files === undefined) return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    if (api) return answerListing({ response, repo, commit, files, withBlobs: searchParams.get('blobs') === 'true' });
    if (restricted.get(repo) === 'gated' && authorization === undefined) {
      return refuse(response, 401, 'GatedRepo', `Access to model ${repo} is restricted.`);
    }
    const found = files.get(path);
    if (found === undefined) return refuse(response, 404, 'EntryNotFound', 'Entry not found');
    response.setHeader('X-Repo-Commit', commit);
    if (!found.isLarge) {
      response.setHeader('ETag', `"${found.blob}"`);
      if (pathname.startsWith(`/${repo}/`)) {
        const location = `/api/resolve-cache/models/${repo}/${commit}/${encodeURIComponent(path)}`;
        response.writeHead(307, { Location: location, 'X-Linked-Size': found.content.length });
        return response.end();
      }
      return sendFile(found, pathname, request, response);
    }
    const id = randomBytes(8).toString('hex');
    links.set(id, found);
    response.writeHead(302, {
      Location: `${filesUrl}/repos/${found.sha256}?Signature=${id}`,
      'X-Linked-Size': found.content.length,
      'X-Linked-Etag': `"${found.sha256}"`,
      ETag: `"${found.sha256}"`,
    });
    response.end();
  }

  function onFiles(request: IncomingMessage, response: ServerResponse) {
    note('files', request);
    const { searchParams } = new URL(request.url ?? '/', filesUrl);
    const found = links.get(searchParams.get('Signature') ?? '');
    if (found === undefined) return refuse(response, 403, undefined, 'AccessDenied');
    const name = [...commits.values()].flatMap((files) => [...files]).find(([, each]) => each === found)?.[0] ?? '';
    if (applied(`/files/${name}`, response)) return;
    sendFile(found, `/files/${name}`, request, response);
  }

  function answerListing(listing: {
    response: ServerResponse;
    repo: string;
    commit: string;
    files: Map<string, Stored>;
    withBlobs: boolean;
  }): void {
    const { response, repo, commit, files, withBlobs } = listing;
    const siblings = [...files].map(([rfilename, { content, isLarge, blob, sha256 }]) => ({
      rfilename,
      ...(withBlobs && hub.statesSizes && { size: content.length, blobId: blob }),
      ...(withBlobs && hub.statesSizes && isLarge && { lfs: { sha256, size: content.length, pointerSize: 130 } }),
    }));
    const gated = restricted.get(repo) === 'gated' ? 'manual' : false;
    const isPrivate = restricted.get(repo) === 'private';
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.end(
      JSON.stringify({ id: repo, modelId: repo, sha: commit, private: isPrivate, gated, disabled: false, siblings }),
    );
  }

  /** Plain answers in the place of the right one. */
  function applied(path: string, response: ServerResponse): boolean {
    const fault = take(path, ({ status }) => status !== undefined);
    if (fault === undefined) return false;
    response.writeHead(fault.status as number, fault.headers);
    response.end();
    return true;
  }

  function sendFile({ content }: Stored, path: string, request: IncomingMessage, response: ServerResponse): void {
    const fault = take(path, ({ status }) => status === undefined);
    const range = fault?.ignoreRange ? null : /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const start = Number(range?.[1] ?? 0);
    if (start >= content.length && content.length > 0) {
      response.writeHead(416, { 'Content-Range': `bytes */${content.length}` });
      response.end();
      return;
    }
    const right = content.subarray(start);
    const body = fault?.wrongBytes ? Buffer.from(right.map((byte) => byte ^ 1)) : right;
    response.writeHead(range ? 206 : 200, {
      'Content-Length': body.length,
      'Accept-Ranges': 'bytes',
      ...(range && { 'Content-Range': `bytes ${start}-${content.length - 1}/${content.length}` }),
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const cut = fault?.cutAfter;
    const send = () => {
      if (cut === undefined || cut >= body.length) response.end(body);
      else response.write(body.subarray(0, cut), () => response.destroy());
    };
    response.flushHeaders();
    if (fault?.until === undefined) send();
    else fault.until.then(send);
  }

  function take(path: string, wanted: (fault: HubFault) => boolean): HubFault | undefined {
    const fault = faults.find((each) => each.left > 0 && wanted(each) && each.path.test(path));
    if (fault !== undefined) fault.left -= 1;
    return fault;
  }

  function note(server: 'hub' | 'files', { method = '', url: path = '', headers }: IncomingMessage): void {
    const { range = null, authorization = null } = headers;
    hub.requests.push({ server, method, path, range, authorization });
  }
}

function store(path: string, written: string | Uint8Array): Stored {
  const content = Buffer.from(written);
  return {
    content,
    isLarge: path.endsWith('.safetensors'),
    blob: createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex'),
    sha256: createHash('sha256').update(content).digest('hex'),
  };
}

function refuse(response: ServerResponse, status: number, code: string | undefined, message: string): void {
  response.writeHead(status, { ...(code !== undefined && { 'X-Error-Code': code }), 'X-Error-Message': message });
  response.end(JSON.stringify({ error: message }));
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
