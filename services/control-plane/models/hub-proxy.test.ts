import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ConnectProxy, startConnectProxy } from '../../../test/support/connect-proxy.ts';
import { type ModelHub, startModelHub } from '../../../test/support/model-hub.ts';
import { noProxies } from '../../platform/proxy/choose-proxy.ts';
import { createHubClient } from './hub-client.ts';

const REPO = 'acme/small';
/** RFC 2606: no machine but the proxy knows where that is. */
const NAME = 'hub.invalid';
const signal = new AbortController().signal;

let hub: ModelHub;
let proxy: ConnectProxy;
let port: string;
beforeEach(async () => {
  hub = await startModelHub();
  ({ port } = new URL(hub.url));
  proxy = await startConnectProxy({ [NAME]: '127.0.0.1' });
  hub.put(REPO, { files: { 'config.json': '{}', 'tokenizer.json': '{}', 'model.safetensors': 'weights' } });
});
afterEach(async () => {
  await proxy.close();
  await hub.close();
});

const client = (endpoint = `http://${NAME}:${port}`, { user = '', except = [] as string[] } = {}) => {
  const http = new URL(proxy.url.replace('//', `//${user}`));
  return createHubClient({ endpoint, token: null, proxies: { ...noProxies, http, except } });
};
const lookUp = (asking = client()) => asking.lookUp(REPO, 'main', signal);

describe('a hub behind a proxy', () => {
  it('is reached by the proxy alone, as is the server that it leads to, with the bytes they have', async () => {
    const asking = client(undefined, { user: 'me:p%40ss@' });
    const { files, origin } = await lookUp(asking);
    const weights = files.find(({ path }) => path === 'model.safetensors');
    if (weights === undefined || origin.kind !== 'hub') throw new Error('it has no weights');
    const { body } = await asking.bytes(REPO, origin.commit).open(weights, 0, signal);
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe('weights');
    const [first] = proxy.asked;
    const basic = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
    expect(first).toEqual({ authority: `${NAME}:${port}`, authorization: basic });
    expect(proxy.asked.at(-1)?.authority).toMatch(/^127\.0\.0\.1:/);
    expect(hub.requests.at(-1)?.server).toBe('files');
    // Connections are used again.
    expect(proxy.asked).toHaveLength(2);
  });

  it('is reached directly where it is excepted', async () => {
    await lookUp(client(hub.url, { except: ['127.0.0.1'] }));
    expect(proxy.asked).toEqual([]);
  });

  it('may not lead to an address that no user may name, through the proxy either', async () => {
    for (const led of ['http://169.254.169.254/keys', 'http://0.0.0.0/', 'http://[fd00:ec2::254]/']) {
      hub.fault({ path: /config\.json/, status: 302, headers: { Location: led } });
      await expect(lookUp()).rejects.toMatchObject({ kind: 'refused' });
    }
    expect(proxy.asked.every(({ authority }) => authority === `${NAME}:${port}`)).toBe(true);
  });

  it.each([
    [403, 'it does not let this host through'],
    [407, 'it asks for a user and a password'],
    [502, 'answered 502'],
  ])('says what the proxy does instead: %i', async (status, why) => {
    proxy.refuses = status;
    const error = await lookUp(client(undefined, { user: 'me:secret@' })).catch((reason: Error) => reason);
    expect(error).toMatchObject({ kind: 'unreachable', message: expect.stringContaining(why) });
    expect(error).toMatchObject({ message: expect.stringContaining(`the proxy ${new URL(proxy.url).host}`) });
    expect((error as Error).message).not.toContain('secret');
  });

  it('is told from a proxy that is away, and from what is no proxy', async () => {
    await proxy.close();
    await expect(lookUp()).rejects.toThrow(/the proxy 127\.0\.0\.1:\d+: connect ECONNREFUSED/);
    const http = new URL(hub.url);
    const asking = createHubClient({ endpoint: `http://${NAME}`, token: null, proxies: { ...noProxies, http } });
    await expect(lookUp(asking)).rejects.toThrow(/the proxy 127\.0\.0\.1:\d+/);
    proxy = await startConnectProxy();
  });
});
