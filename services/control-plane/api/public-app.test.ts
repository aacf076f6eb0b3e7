import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Operations } from '../../contracts/operations.ts';
import type { Handlers } from './handlers.ts';
import { createServiceHandlers } from './service.handlers.ts';
import { problemOf, servePublic, type TestServer } from './testing.ts';

let server: TestServer;
afterEach(() => server.close());

const handlers: Partial<Handlers<Operations>> = {
  listRuns: async () => ({ status: 200, body: { runs: [], next: null } }),
  pauseRun: async () => {
    throw new Error('a foreign page reached the handler');
  },
  ...createServiceHandlers({ version: '1.2.3', adopted: () => 2 }),
};
const serve = async (options: Parameters<typeof servePublic>[1] = {}) => {
  server = await servePublic(handlers, options);
  return (path: string, init: RequestInit = {}) => fetch(`${server.url}${path}`, { redirect: 'manual', ...init });
};
const rawGet = (host: string, path = '/runs') => server.raw(`GET ${path} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);

describe('Host and Origin', () => {
  test.each([
    'localhost',
    'localhost:8080',
    '127.0.0.1:1',
    '[::1]:8080',
    'LOCALHOST',
    'tandem.example:99',
  ])('%s is served', async (host) => {
    await serve({ settings: { allowedHosts: ['tandem.example'] } });
    expect(await rawGet(`Host: ${host}\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.nip.io',
    '10.0.0.5',
    'a b',
    'localhost:x',
    '@localhost',
    '',
  ])('%s is refused on loopback', async (host) => {
    await serve();
    expect(await rawGet(`Host: ${host}\r\n`)).toMatch(/^HTTP\/1\.1 403 [\s\S]*forbidden-host/);
  });

  test('no Host and two Hosts are refused', async () => {
    await serve();
    expect(await rawGet('')).toContain('forbidden-host');
    expect(await rawGet('Host: localhost\r\nHost: evil.example\r\n')).toContain('forbidden-host');
  });

  test('a server on every address serves addresses, which cannot be rebound, and no foreign names', async () => {
    await serve({ settings: { address: '0.0.0.0' } });
    expect(await rawGet('Host: 192.168.1.5:8080\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    expect(await rawGet('Host: evil.example\r\n')).toContain('forbidden-host');
  });

  test.each([
    'https://evil.example',
    'null',
    'http://localhost:1',
    'file://',
  ])('a web page from %s cannot pause a run', async (origin) => {
    const call = await serve();
    const problem = await problemOf(await call('/runs/run-7k3m9q2d/pause', { method: 'POST', headers: { origin } }));
    expect(problem.kind).toBe('forbidden-host');
  });

  test('no answer allows another origin to read it', async () => {
    const call = await serve();
    const answer = await call('/runs', { headers: { origin: 'https://evil.example' } });
    expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('the token', () => {
  const settings = { apiKey: 'correct-horse' };

  test.each([
    ['none', {}],
    ['a wrong one', { authorization: 'Bearer correct-horsf' }],
    ['the beginning of it', { authorization: 'Bearer correct' }],
    ['another scheme', { authorization: 'Basic correct-horse' }],
    ['an empty one', { authorization: 'Bearer ' }],
  ])('%s is refused', async (_what, headers) => {
    const call = await serve({ settings });
    const answer = await call('/runs', { headers });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="tandem"');
    expect(await problemOf(answer)).toMatchObject({ kind: 'unauthorized', status: 401 });
  });

  test('the right one is let in', async () => {
    const call = await serve({ settings });
    expect((await call('/runs', { headers: { authorization: 'Bearer correct-horse' } })).status).toBe(200);
  });

  test('a browser is asked for it as a password, and may read with it and change nothing', async () => {
    const call = await serve({ settings });
    const asked = await call('/runs', { headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } });
    expect([asked.status, asked.headers.get('www-authenticate')]).toEqual([
      401,
      'Basic realm="tandem", charset="UTF-8", Bearer realm="tandem"',
    ]);
    const basic = (password: string) => ({
      authorization: `Basic ${Buffer.from(`anyone:${password}`).toString('base64')}`,
    });
    expect((await call('/runs', { headers: basic('correct-horse') })).status).toBe(200);
    for (const password of ['correct-horsf', '', 'x:correct-horse'])
      expect((await call('/runs', { headers: basic(password) })).status).toBe(401);
    const changing = await call('/runs', { method: 'POST', headers: basic('correct-horse') });
    expect([changing.status, changing.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="tandem"']);
  });

  test('probes and documentation need none; what is not there needs one', async () => {
    const call = await serve({ settings });
    for (const path of ['/healthz', '/readyz', '/openapi.json', '/docs/']) expect((await call(path)).status).toBe(200);
    for (const path of ['/nothing', '/healthz/x', '/docsx', '/runs/']) expect((await call(path)).status).toBe(401);
  });

  test('it never reaches the log', async () => {
    const call = await serve({ settings });
    await call('/runs?limit=1', { headers: { authorization: 'Bearer correct-horse' } });
    expect(JSON.stringify(server.log)).not.toContain('correct-horse');
  });
});

describe('service', () => {
  test('health and readiness', async () => {
    const call = await serve();
    expect(await (await call('/healthz')).json()).toEqual({ status: 'ok', version: '1.2.3' });
    expect(await (await call('/readyz')).json()).toEqual({ status: 'ready', adopted: 2 });
  });

  test('before programs are taken over it is alive, not ready, and says when to ask again', async () => {
    server = await servePublic(createServiceHandlers({ version: '1', adopted: () => null }));
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    const answer = await fetch(`${server.url}/readyz`);
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(await problemOf(answer)).toMatchObject({ kind: 'unavailable', status: 503 });
  });

  test('a request is one line in the log; probes are quiet', async () => {
    const call = await serve();
    await (await call('/runs?label=secret%3D1')).text();
    await (await call('/healthz')).text();
    await expect.poll(() => server.log.length).toBe(2);
    expect(server.log.map(({ level, message }) => [level, message.replace(/\d+ ms/, 'N ms')])).toEqual([
      ['info', 'GET /runs 200 N ms'],
      ['debug', 'GET /healthz 200 N ms'],
    ]);
  });

  test('every answer may not be stored, sniffed or framed', async () => {
    const call = await serve();
    for (const path of ['/runs', '/nothing', '/openapi.json']) {
      const { headers } = await call(path);
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toBe("default-src 'none';frame-ancestors 'none'");
      expect(headers.get('x-powered-by')).toBeNull();
    }
  });
});

describe('documentation', () => {
  test('the root and /docs lead to the page', async () => {
    const call = await serve();
    expect((await call('/')).headers.get('location')).toBe('/docs/');
    expect((await call('/docs')).headers.get('location')).toBe('/docs/');
  });

  test('the page has no inline script, and everything it loads comes from here', async () => {
    const call = await serve();
    const answer = await call('/docs/');
    const html = await answer.text();
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toMatch(/script-src[^;]*unsafe/);
    const scripts = [...html.matchAll(/<script([^>]*)>([\s\S]*?)<\/script>/g)];
    expect(scripts.length).toBeGreaterThanOrEqual(3);
    for (const [, attributes, inline] of scripts) {
      expect(attributes).toMatch(/src="\.\//);
      expect(inline?.trim()).toBe('');
    }
    expect(html).not.toMatch(/\son\w+\s*=/);
    const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '');
    expect(assets.length).toBeGreaterThanOrEqual(5);
    for (const asset of assets) {
      expect(asset).toMatch(/^\.\//);
      const loaded = await call(`/docs/${asset.slice(2)}`);
      expect([asset, loaded.status]).toEqual([asset, 200]);
      expect((await loaded.arrayBuffer()).byteLength).toBeGreaterThan(100);
    }
  });

  test('the page shows our own description and asks nobody else', async () => {
    const call = await serve();
    const script = await (await call('/docs/swagger-ui-init.js')).text();
    expect(script).toContain('"swaggerUrl": "/openapi.json"');
    expect(script).toContain('"validatorUrl": null');
    expect(await (await call('/docs/')).text()).not.toContain('https://');
  });

  test('nothing of the package but its page is served', async () => {
    const call = await serve();
    expect((await call('/docs/package.json')).status).toBe(404);
    expect((await call('/docs/..%2f..%2fpackage.json')).status).toBe(404);
  });

  test('/openapi.json is the committed description', async () => {
    const call = await serve();
    const committed: unknown = parse(readFileSync('openapi/openapi.yaml', 'utf8'));
    const same = isDeepStrictEqual(await (await call('/openapi.json')).json(), committed);
    expect(same, 'run `npm run generate` and commit what it writes').toBe(true);
  });
});

describe('slow and malformed requests', () => {
  test('headers that never end are cut off', async () => {
    await serve({ limits: { headersMs: 100, requestMs: 200, checkMs: 20 } });
    expect(await server.raw('GET /runs HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('a body that never comes is cut off', async () => {
    await serve({ limits: { headersMs: 100, requestMs: 200, checkMs: 20 } });
    const answer = await server.raw(
      'POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('a query that is too long is told so', async () => {
    await serve();
    const answer = await server.raw(`GET /runs?label=${'x'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    expect(answer).toContain('The request line and the headers have more than 16 KiB; shorten the query.');
  });

  test.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['two lengths', 'POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'length and chunks',
      'POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a header of 20 KiB', `GET /runs HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`],
    ['a control character in the path', 'GET /runs\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ])('%s is answered with 400', async (_what, bytes) => {
    await serve();
    expect(await server.raw(bytes)).toMatch(/^HTTP\/1\.1 400 [\s\S]*application\/problem\+json[\s\S]*invalid-request/);
  });
});
