import { describe, expect, it } from 'vitest';
import { createRedactor } from './redaction.ts';
import { plantSecrets, secretsIn } from './testing/plant-secrets.ts';

const SEEDS = Array.from({ length: 12 }, (_, index) => index + 1);

describe('a redactor', () => {
  it.each(SEEDS)('leaves no planted secret in any text, key or field (seed %i)', (seed) => {
    const planted = plantSecrets(seed);
    const redactor = createRedactor(planted.env);
    for (let round = 0; round < 60; round += 1) {
      const text = planted.text();
      const value = planted.value();
      expect(secretsIn(text + JSON.stringify(value), planted.secrets)).not.toEqual([]);
      expect(secretsIn(redactor.text(text), planted.secrets), text).toEqual([]);
      expect(secretsIn(JSON.stringify(redactor.value(value)), planted.secrets), JSON.stringify(value)).toEqual([]);
    }
  });

  it.each([
    'Training step | loss=0.234 | policy_loss=0.201 | kl_loss=0.033',
    '[ROLLOUT] Turn 1: action=click, target="Settings icon"',
    '  Trainable tokens: 1200/3400 (35.3%)',
    'eos_token="<|im_end|>", pad_token: <|endoftext|>, max_token=512',
    '{"eos_token":"<|endoftext|>","tokens":12}',
    'GBOX_API_KEY is not set',
    'http://127.0.0.1:8000/v1/chat?model=x&keys=3',
    'task-1-of-a-long-list-of-tasks, sk-learn, hf_hub, sort_key=name',
    'user@example.com wrote http://host/a@b',
    'two\nlines\r\nof text',
  ])('leaves alone what is no secret: %s', (text) => {
    expect(createRedactor({ HOME: '/root', EMPTY_KEY: '', SHORT_TOKEN: 'abc' }).text(text)).toBe(text);
  });

  it('hides what stands under the name of a secret, and leaves numbers and other names alone', () => {
    const { value } = createRedactor({});
    expect(value({ api_key: 'x', inner: [{ Password: 'y', eos_token: '</s>', sort_key: 'z' }], token: 17 })).toEqual({
      api_key: '[redacted]',
      inner: [{ Password: '[redacted]', eos_token: '</s>', sort_key: 'z' }],
      token: 17,
    });
  });

  it('hides a private key as a whole', () => {
    const key = '-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\nDEF+/=\n-----END RSA PRIVATE KEY-----';
    expect(createRedactor({}).text(`read ${key} from disk`)).toBe('read [redacted] from disk');
  });

  it('leaves out what is nested too deep to be looked at', () => {
    const deep = Array.from({ length: 5000 }).reduce<unknown>(
      (inner) => [inner],
      'hf_abcdefghijklmnopqrstuvwxyz012345',
    );
    expect(JSON.stringify(createRedactor({}).value(deep))).toBe(
      `${'['.repeat(64)}"[nested too deep]"${']'.repeat(64)}`,
    );
  });

  it('takes no more than linear time on hostile text', () => {
    const { text } = createRedactor({ SOME_KEY: 'aaaaaaaaaaaaaaaaaaaaaaaaab' });
    const hostile = [
      'a',
      'a-',
      'sk-',
      'token":"',
      '://',
      'Bearer ',
      'eyJ',
      'hf_a\n',
      '-----BEGIN PRIVATE KEY-----',
      '\\"token',
    ];
    const timeOf = (length: number) => {
      const started = performance.now();
      for (const piece of hostile) text(piece.repeat(length / piece.length));
      return performance.now() - started;
    };
    timeOf(4096);
    // Sixteen times the length: 256 times as long if it were quadratic.
    expect(timeOf(65_536 * 4)).toBeLessThan(100 * Math.max(5, timeOf(16_384)));
  });
});
