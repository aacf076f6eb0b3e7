import { afterEach, describe, expect, it } from 'vitest';
import type { ImageDetail } from './engine-types.ts';
import { pullImage, splitReference } from './pull-image.ts';
import { createPullTracker, type PullProgress, remainingSeconds } from './pull-progress.ts';
import { type SocketServer, startSocketServer } from './socket-server.fixture.ts';

const image: ImageDetail = { id: 'sha256:1', digests: [], tags: [], entrypoint: [], user: '', env: [], size: 1 };
let server: SocketServer | undefined;
afterEach(() => server?.close());

async function pull(pieces: string[], { there = true, cut = false, auth = {}, reference = 'r.example/i:t' } = {}) {
  const seen: PullProgress[] = [];
  const headers: unknown[] = [];
  server = await startSocketServer(async (request, response) => {
    headers.push(request.headers['x-registry-auth']);
    response.writeHead(200).flushHeaders();
    for (const piece of pieces) {
      response.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (cut) response.destroy();
    else response.end();
  });
  const options = { reference, auth, onProgress: (progress: PullProgress) => seen.push(progress) };
  const signal = new AbortController().signal;
  const pulled = await pullImage(server.socketPath, async () => (there ? image : null), { ...options, signal }).catch(
    (error: unknown) => error,
  );
  return { pulled, seen, headers, requests: server.requests };
}

describe('pullImage', () => {
  it('gives the image when the daemon has it afterwards', async () => {
    const { pulled, requests } = await pull([
      '{"status":"Digest: sha256:1"}\r\n',
      '{"status":"Status: Downloaded"}\r\n',
    ]);
    expect(pulled).toBe(image);
    expect(requests).toEqual(['POST /v1.41/images/create?fromImage=r.example%2Fi&tag=t']);
  });

  it.each([
    ['in a line of its own', ['{"errorDetail":{"message":"disk full"},"error":"disk full"}\n'], 'failed'],
    ['in a last line without an end', ['{"status":"x"}\n{"errorDetail":{"message":"disk full"}}'], 'failed'],
    ['cut into pieces', ['{"errorDe', 'tail":{"message":"disk', ' full"}}\n'], 'failed'],
    ['without details', ['{"error":"manifest for i:t disk full not found: manifest unknown"}\n'], 'not_found'],
    ['about who asks', ['{"error":"disk full: unauthorized: authentication required"}\n'], 'refused'],
  ])('fails at an error %s, although the answer began with 200', async (_, pieces, kind) => {
    const { pulled } = await pull(pieces);
    expect(pulled).toMatchObject({ name: 'DockerError', kind, message: expect.stringContaining('disk full') });
  });

  it.each([
    [500, 'manifest unknown', 'not_found'],
    [404, 'pull access denied for i, repository does not exist or may require docker login', 'refused'],
    [500, 'dial tcp: lookup r.example: no such host', 'failed'],
  ])('tells the same of an error that comes before the first word, as status %i', async (status, message, kind) => {
    server = await startSocketServer((_, response) => response.writeHead(status).end(JSON.stringify({ message })));
    const { signal } = new AbortController();
    const pulling = pullImage(server.socketPath, async () => image, { reference: 'i', signal });
    await expect(pulling).rejects.toMatchObject({ kind, message: expect.stringContaining(message) });
  });

  it('fails when the daemon ends well but has no image', async () => {
    const { pulled } = await pull(['{"status":"Status: Downloaded"}\n'], { there: false });
    expect(pulled).toMatchObject({ kind: 'failed', message: expect.stringMatching(/the image is not there/) });
  });

  it('fails with what came when it is not from a daemon', async () => {
    const { pulled } = await pull(['<html>502 Bad Gateway</html>\n']);
    expect(pulled).toMatchObject({ kind: 'failed', message: expect.stringMatching(/502 Bad Gateway.*proxy/) });
  });

  it('fails when the connection breaks', async () => {
    const { pulled } = await pull(['{"status":"x"}\n'], { cut: true });
    expect(pulled).toMatchObject({ kind: 'unreachable' });
  });

  it('sends credentials in a header and shows them nowhere', async () => {
    const auth = { username: 'u', password: 'pass+word/?' };
    const { pulled, headers, requests } = await pull(['{"error":"denied for u:pass+word/?"}\n'], { auth });
    expect(JSON.parse(Buffer.from(String(headers[0]), 'base64url').toString())).toEqual(auth);
    expect(`${requests} ${pulled}`).not.toContain('pass');
  });

  it.each([
    ['name', 'name', 'latest'],
    ['name:tag', 'name', 'tag'],
    ['host:5000/a/name', 'host:5000/a/name', 'latest'],
    ['host:5000/a/name:tag', 'host:5000/a/name', 'tag'],
    ['host:5000/name@sha256:abc', 'host:5000/name', 'sha256:abc'],
    ['name:tag@sha256:abc', 'name', 'sha256:abc'],
  ])('never asks for all the tags of an image: %s', (reference, name, tag) => {
    expect(splitReference(reference)).toEqual({ name, tag });
  });
});

describe('the progress of a pull', () => {
  const layer = (id: string, status: string, current?: number, total?: number, units?: string) => ({
    id,
    status,
    progressDetail:
      current === undefined ? {} : { current, ...(total !== undefined && { total }), ...(units && { units }) },
  });
  const progressOf = (...messages: ReturnType<typeof layer>[]) => {
    const tracker = createPullTracker();
    messages.forEach(tracker.note);
    return tracker.progress();
  };
  const both = [layer('a', 'Pulling fs layer'), layer('b', 'Pulling fs layer')];

  it('sums layers, and knows when a size is still missing', () => {
    expect(progressOf()).toMatchObject({ layers: 0, totalIsFinal: false });
    expect(progressOf(...both, layer('a', 'Downloading', 50, 100), layer('b', 'Waiting'))).toEqual({
      layers: 2,
      layersDone: 0,
      downloadedBytes: 50,
      extractedBytes: 0,
      totalBytes: 100,
      totalIsFinal: false,
    });
    const more = [
      layer('b', 'Downloading', 10, 300),
      layer('a', 'Download complete'),
      layer('a', 'Extracting', 40, 100),
    ];
    expect(progressOf(...both, layer('a', 'Downloading', 50, 100), ...more)).toMatchObject({
      downloadedBytes: 110,
      extractedBytes: 40,
      totalBytes: 400,
      totalIsFinal: true,
    });
  });

  it('does not take the seconds that containerd counts for bytes', () => {
    const seconds = [layer('a', 'Extracting', 3, undefined, 's'), layer('b', 'Download complete')];
    expect(progressOf(...both, layer('a', 'Downloading', 100, 100), ...seconds)).toMatchObject({ extractedBytes: 0 });
  });

  it('counts neither layers that were here nor ids that are no layers, however many there are', () => {
    const strangers = Array.from({ length: 5000 }, (_, id) => layer(`x${id}`, 'Pulling fs layer'));
    expect(progressOf(layer('old', 'Already exists'), layer('latest', 'Pulling from i'))).toMatchObject({ layers: 0 });
    expect(progressOf(...strangers).layers).toBe(1024);
  });

  it('is complete when every layer is', () => {
    const done = [layer('a', 'Pull complete'), layer('b', 'Downloading', 5, 10), layer('b', 'Pull complete')];
    expect(progressOf(...both, ...done)).toMatchObject({
      layersDone: 2,
      downloadedBytes: 10,
      extractedBytes: 10,
      totalIsFinal: true,
    });
  });

  it('says how long it still takes once that can be known', () => {
    const half = progressOf(both[0]!, layer('a', 'Downloading', 100, 100));
    expect(remainingSeconds(half, 8000)).toBe(8);
    expect(remainingSeconds(half, 10)).toBeNull();
    expect(remainingSeconds(progressOf(...both, layer('a', 'Downloading', 100, 100)), 8000)).toBeNull();
  });
});
