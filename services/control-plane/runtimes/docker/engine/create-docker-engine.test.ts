import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { createDockerEngine } from './create-docker-engine.ts';
import { startSocketServer } from './socket-server.fixture.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function engineOf(answer: (request: IncomingMessage, response: ServerResponse, number: number) => void) {
  const server = await startSocketServer(answer);
  closing.push(server.close);
  return { engine: createDockerEngine(server), ...server };
}

const json = (response: ServerResponse, status: number, body: unknown) =>
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));

describe('a call to the Docker daemon', () => {
  it('goes to its socket whatever DOCKER_HOST says', async () => {
    const before = process.env['DOCKER_HOST'];
    process.env['DOCKER_HOST'] = 'tcp://127.0.0.1:1';
    try {
      const { engine, requests } = await engineOf((_, response) => json(response, 200, []));
      expect(await engine.listContainers({ 'dev.tandem.run': 'r', marked: '' })).toEqual([]);
      const query = new URL(`http://d${requests[0]?.split(' ')[1]}`).searchParams;
      expect(requests[0]).toMatch(/^GET \/v1\.41\/containers\/json\?/);
      expect(Object.fromEntries(query)).toEqual({ all: 'true', filters: '{"label":["dev.tandem.run=r","marked"]}' });
    } finally {
      if (before === undefined) delete process.env['DOCKER_HOST'];
      else process.env['DOCKER_HOST'] = before;
    }
  });

  it('writes nothing of a container into the URL but its name', async () => {
    let body = '';
    const { engine, requests } = await engineOf(async (request, response) => {
      body = await text(request);
      json(response, 201, { Id: 'c1', Warnings: ['old kernel'] });
    });
    const created = await engine.createContainer('a name', { Image: 'i', Env: ['TOKEN=a-very-secret-token'] });
    expect(created).toEqual({ id: 'c1', warnings: ['old kernel'] });
    expect(requests).toEqual(['POST /v1.41/containers/create?name=a%20name']);
    expect(JSON.parse(body)).toEqual({ Image: 'i', Env: ['TOKEN=a-very-secret-token'] });
  });

  it('takes values of the environment out of what the daemon says', async () => {
    const { engine } = await engineOf((_, response) =>
      json(response, 400, { message: 'invalid: TOKEN=a-very-secret-token, or a-very-secret-token' }),
    );
    const creation = engine.createContainer('c', { Image: 'i', Env: ['TOKEN=a-very-secret-token'] });
    await expect(creation).rejects.toMatchObject({
      kind: 'invalid',
      message: 'create container c: the Docker daemon answered 400: invalid: [redacted], or [redacted]',
    });
  });

  it('ends with its signal while the daemon says nothing', async () => {
    const { engine } = await engineOf(() => undefined);
    const given = new AbortController();
    const call = engine.info({ signal: given.signal });
    given.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    await expect(engine.info({ signal: given.signal })).rejects.toThrow('enough');
  });

  it('ends with its signal when the connection broke in the middle of an answer, where the client never settles', async () => {
    const { engine } = await engineOf((_, response) => {
      response.writeHead(200, { 'Content-Length': 1000 });
      response.write('[');
      setTimeout(() => response.destroy(), 20);
    });
    await expect(engine.listContainers({}, { signal: AbortSignal.timeout(300) })).rejects.toThrow(/timeout|broke/);
  });

  it.each([
    [404, 'No such container: c', null],
    [500, 'driver failed', 'failed'],
    [403, 'plugin denied', 'refused'],
  ])('tells what answer %i (%s) means', async (status, message, kind) => {
    const { engine } = await engineOf((_, response) => json(response, status, { message }));
    if (kind === null) expect(await engine.inspectContainer('c')).toBeNull();
    else await expect(engine.inspectContainer('c')).rejects.toMatchObject({ kind, status });
  });

  it('says what to do when there is no socket', async () => {
    const engine = createDockerEngine({ socketPath: '/nowhere/docker.sock' });
    await expect(engine.ping()).rejects.toMatchObject({ kind: 'unreachable', status: null });
    await expect(engine.ping()).rejects.toThrow(/at \/nowhere\/docker\.sock .*DOCKER_HOST=unix/);
    await expect(
      engine.waitForExit({ container: 'c', condition: 'next-exit', signal: AbortSignal.timeout(1000) }),
    ).rejects.toThrow(/DOCKER_HOST=unix/);
  });

  it('counts as done what is so already', async () => {
    const { engine } = await engineOf((request, response) => {
      const url = request.url ?? '';
      if (url.includes('/start')) response.writeHead(304).end();
      else if (url.includes('/kill')) json(response, 409, { message: 'Container c is not running' });
      else if (url.includes('/connect'))
        json(response, 403, { message: 'endpoint with name c already exists in network n' });
      else json(response, 404, { message: 'no such thing' });
    });
    await engine.startContainer('c');
    await engine.killContainer('c', 'TERM');
    await engine.connectNetwork('n', 'c');
    await engine.removeContainer('c');
    await engine.removeNetwork('n');
    await engine.removeVolume('v');
  });

  it('waits for a removal that is under way, so that the name is free afterwards', async () => {
    const { engine, requests } = await engineOf((_, response, number) =>
      number === 1
        ? json(response, 409, { message: 'removal of container c is already in progress' })
        : json(response, 404, { message: 'no such container' }),
    );
    await engine.removeContainer('c', { force: true });
    expect(requests).toHaveLength(2);
  });

  it('waits for room where the daemon takes no more connections for now, and its stream does', async () => {
    const answer = (request: IncomingMessage, response: ServerResponse) =>
      request.url?.includes('/logs') ? response.end() : json(response, 200, []);
    const server = await startSocketServer(answer, { backlog: 1 });
    closing.push(server.close);
    const { listContainers, followLogs } = createDockerEngine(server);
    const { signal } = new AbortController();
    // All connect before the server, in the same process, can take one.
    const lists = Array.from({ length: 50 }, () => listContainers({}, { signal }));
    const logs = Array.from({ length: 50 }, () => followLogs({ container: 'c', signal }).next());
    expect(await Promise.all(lists)).toEqual(lists.map(() => []));
    expect(await Promise.all(logs)).toEqual(logs.map(() => ({ done: true, value: undefined })));
  });

  it('does not let a name reach another path', async () => {
    const { engine, requests } = await engineOf((_, response) => json(response, 404, {}));
    await engine.inspectContainer('../images/x?y');
    expect(requests).toEqual(['GET /v1.41/containers/..%2Fimages%2Fx%3Fy/json']);
    await expect(engine.inspectImage('../containers/x')).rejects.toMatchObject({ kind: 'invalid' });
  });
});

describe('a stream of the Docker daemon', () => {
  it('says that a wait is registered once the daemon has begun to answer, before there is an end', async () => {
    let finish: () => void = () => undefined;
    const { engine, requests } = await engineOf((_, response) => {
      response.writeHead(200).flushHeaders();
      finish = () => response.end('{"Error":null,"StatusCode":137}');
    });
    const wait = await engine.waitForExit({
      container: 'c',
      condition: 'next-exit',
      signal: new AbortController().signal,
    });
    expect(requests).toEqual(['POST /v1.41/containers/c/wait?condition=next-exit']);
    finish();
    expect(await wait.exited).toEqual({ exitCode: 137, error: null });
  });

  it.each(['cut', 'ended'])('does not take a wait that was %s for an end of the container', async (how) => {
    const { engine } = await engineOf((_, response) => {
      response.writeHead(200).flushHeaders();
      setTimeout(() => (how === 'cut' ? response.destroy() : response.end()), 20);
    });
    const wait = await engine.waitForExit({
      container: 'c',
      condition: 'next-exit',
      signal: new AbortController().signal,
    });
    await expect(wait.exited).rejects.toMatchObject({ kind: 'unreachable' });
  });

  it('fails where the daemon refuses it', async () => {
    const { engine } = await engineOf((_, response) => json(response, 404, { message: 'No such container: c' }));
    const log = engine.followLogs({ container: 'c', signal: new AbortController().signal });
    await expect(log.next()).rejects.toMatchObject({ kind: 'not_found', message: /read the log of container c/ });
  });

  it('tells a log that was cut from one that has ended', async () => {
    const { engine } = await engineOf((request, response) => {
      response.writeHead(200);
      response.write(Buffer.from([1, 0, 0, 0, 0, 0, 0, 2, 0x68, 0x69]));
      setTimeout(() => (request.url?.includes('/cut/') ? response.destroy() : response.end()), 20);
    });
    const read = async (container: string) => {
      let said = '';
      for await (const frames of engine.followLogs({ container, signal: new AbortController().signal }))
        said += frames.map(({ payload }) => String(payload)).join('');
      return said;
    };
    expect(await read('whole')).toBe('hi');
    await expect(read('cut')).rejects.toMatchObject({ kind: 'unreachable' });
  });

  it('asks for a log from a nanosecond on', async () => {
    const { engine, requests } = await engineOf((_, response) => response.end());
    const since = '2026-01-31T10:20:30.123456789Z';
    for await (const _ of engine.followLogs({
      container: 'c',
      since,
      timestamps: true,
      signal: new AbortController().signal,
    }));
    expect(requests[0]).toContain('&since=1769854830.123456789');
  });

  it('closes its connection when its reader has enough', async () => {
    let gone: Promise<unknown> = Promise.resolve();
    const { engine } = await engineOf((request, response) => {
      gone = once(request.socket, 'close');
      response.writeHead(200).write(Buffer.from([1, 0, 0, 0, 0, 0, 0, 1, 0x68]));
    });
    for await (const _ of engine.followLogs({ container: 'c', signal: new AbortController().signal })) break;
    await gone;
  });
});
