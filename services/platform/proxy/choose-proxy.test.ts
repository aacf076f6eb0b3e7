import { expect, test } from 'vitest';
import { chooseProxy } from './choose-proxy.ts';

const [https, http] = [new URL('http://proxy:3128'), new URL('http://plain:8080')];
const chosen = (url: string, except: string[] = []) => chooseProxy(new URL(url), { https, http, except });

test('there is one proxy for https and another for http', () => {
  expect(chosen('https://huggingface.co/x')).toBe(https);
  expect(chosen('http://mirror.example')).toBe(http);
  expect(chooseProxy(new URL('https://huggingface.co'), { https: null, http, except: [] })).toBeNull();
});

test.each([
  ['huggingface.co', true],
  ['HUGGINGFACE.co', true],
  ['.huggingface.co', true],
  ['*.huggingface.co', true],
  ['co', true],
  ['face.co', false],
  ['huggingface.co:443', true],
  ['huggingface.co:8443', false],
  ['cdn.huggingface.co', false],
  ['*', true],
  ['', false],
])('NO_PROXY=%s', (except, isDirect) => {
  expect(chosen('https://huggingface.co/x', [except]) === null).toBe(isDirect);
});

test('what is below a host that is reached directly is too, and addresses are hosts', () => {
  expect(chosen('https://cdn.huggingface.co', ['other', 'huggingface.co'])).toBeNull();
  expect(chosen('http://127.0.0.1:7000', ['127.0.0.1'])).toBeNull();
  expect(chosen('http://127.0.0.1:7000', ['127.0.0.1:7001'])).toBe(http);
  expect(chosen('http://[::1]:7000', ['::1'])).toBeNull();
  expect(chosen('http://[::1]:7000', ['[::1]:7000'])).toBeNull();
});
