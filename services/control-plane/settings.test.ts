import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { noProxies } from '../platform/proxy/choose-proxy.ts';
import { createRedactor } from '../platform/redaction.ts';
import { apiKeyFile } from './settings/api-key.ts';
import { knownSecrets } from './settings/known-secrets.ts';
import { readSettings, settingsVariables } from './settings.ts';

const read = (environment: Record<string, string>) => readSettings(environment, '/srv/work');

describe('readSettings', () => {
  it('needs nothing', () => {
    expect(read({})).toMatchObject({
      port: 8080,
      address: '127.0.0.1',
      apiKey: null,
      home: '/srv/work/.tandem',
      outputs: '/srv/work/outputs',
      agentHost: '127.0.0.1',
      agentPort: 0,
      slots: 1,
      dataRoots: ['/srv/work', '/srv/work/.tandem', '/srv/work/outputs'],
      runBaselineEval: true,
      stopDeadlineMs: 120_000,
    });
  });

  it('takes GPUs from nvidia-smi where there is one, from a file, or none', () => {
    expect(read({}).gpus).toEqual({ source: 'auto' });
    expect(read({ TANDEM_GPUS: 'none' }).gpus).toEqual({ source: 'none' });
    expect(read({ TANDEM_GPUS: 'hosts/eight.yaml' }).gpus).toEqual({
      source: 'file',
      path: '/srv/work/hosts/eight.yaml',
    });
  });

  it('takes the hub and its token, on loopback too, and refuses what is no address of one', () => {
    expect(read({}).hub).toEqual({ endpoint: 'https://huggingface.co', token: null, proxies: noProxies });
    expect(read({ TANDEM_MODELS_MAX_GB: '200' }).modelsMaxBytes).toBe(200e9);
    expect(read({}).modelsMaxBytes).toBeNull();
    expect(read({ HTTPS_PROXY: 'proxy:3128', NO_PROXY: 'a, .b' }).hub.proxies).toEqual({
      https: new URL('http://proxy:3128'),
      http: null,
      except: ['a', '.b'],
    });
    expect(read({ HTTP_PROXY: 'http://a', http_proxy: 'http://b' }).hub.proxies?.http?.host).toBe('b');
    expect(() => read({ HTTPS_PROXY: 'socks5://proxy:1080' })).toThrow(/HTTPS_PROXY: must be the URL of an HTTP proxy/);
    const mirror = { HF_ENDPOINT: 'http://127.0.0.1:7000/', HF_TOKEN: 'hf_x' };
    expect(read(mirror).hub).toMatchObject({ endpoint: 'http://127.0.0.1:7000', token: 'hf_x' });
    expect(() => read({ HF_ENDPOINT: 'hf-mirror.com' })).toThrow(
      /HF_ENDPOINT: must be an http or https URL, such as https:\/\/huggingface.co/,
    );
    expect(() => read({ HF_ENDPOINT: 'http://169.254.169.254' })).toThrow(/HF_ENDPOINT: .*link-local/);
    expect(() => read({ HF_ENDPOINT: 'https://me:secret@hub.example' })).toThrow(/HF_ENDPOINT: must not hold a user/);
    expect(() => read({ HF_TOKEN: 'two words' })).toThrow(/HF_TOKEN: must be a token without spaces/);
  });

  it('takes from CUDA_VISIBLE_DEVICES which GPUs may be leased, and quotas by label', () => {
    expect(read({})).toMatchObject({ visibleGpus: null, quotas: [], preemptAfterMs: 600_000 });
    expect(read({ CUDA_VISIBLE_DEVICES: '0, GPU-5f1c' }).visibleGpus).toEqual(['0', 'GPU-5f1c']);
    expect(read({ TANDEM_QUOTAS: 'team=research:4, team:2' }).quotas).toEqual([
      { label: 'team', value: 'research', gpus: 4 },
      { label: 'team', value: null, gpus: 2 },
    ]);
  });

  it('refuses an address that other machines reach, unless there is a key', () => {
    expect(() => read({ TANDEM_ADDR: '0.0.0.0' })).toThrow(/set TANDEM_API_KEY as well/);
    expect(read({ TANDEM_ADDR: '0.0.0.0', TANDEM_API_KEY: 'x'.repeat(16) }).address).toBe('0.0.0.0');
  });

  it('takes the key from a file of its own, as long as the variable gives none', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tandem-settings-'));
    const path = join(directory, 'api-key');
    try {
      writeFileSync(path, `${'k'.repeat(64)}\n`);
      expect(read({ TANDEM_ADDR: '0.0.0.0', TANDEM_API_KEY_FILE: path }).apiKey).toBe('k'.repeat(64));
      expect(read({ TANDEM_API_KEY: 'x'.repeat(16), TANDEM_API_KEY_FILE: path }).apiKey).toBe('x'.repeat(16));
      expect(apiKeyFile({ TANDEM_API_KEY: '', TANDEM_API_KEY_FILE: 'key' }, '/srv/work')).toBe('/srv/work/key');
      expect(apiKeyFile({ TANDEM_API_KEY: 'x', TANDEM_API_KEY_FILE: 'key' }, '/srv/work')).toBeNull();
      writeFileSync(path, 'short\n');
      expect(() => read({ TANDEM_API_KEY_FILE: path })).toThrow(/the key in .* must have at least 16 characters/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it.each([
    [{ PORT: '80a' }, 'PORT: must be a whole number from 0 to 65535'],
    [{ PORT: '65536' }, 'PORT: must be a whole number from 0 to 65535'],
    [{ TANDEM_SLOTS: '0' }, 'TANDEM_SLOTS: must be a whole number from 1 to 1000'],
    [
      { TANDEM_API_KEY: 'short' },
      'TANDEM_API_KEY: must have at least 16 characters; for example: openssl rand -hex 32',
    ],
    [
      { TANDEM_QUOTAS: 'team=a' },
      'must be label=value:gpus or label:gpus (each other value), as in team=research:4,team:2',
    ],
    [{ VERBOSE: 'maybe' }, 'VERBOSE: must be true or false, as in VERBOSE=true'],
    [
      { TANDEM_GPUS: 'all' },
      'TANDEM_GPUS: is all; set auto, nvidia, none, or the path of a .yaml file that describes GPUs',
    ],
    [
      { TANDEM_AGENT_ADDR: '0.0.0.0:7000' },
      'TANDEM_AGENT_ADDR: 0.0.0.0:7000 is not a loopback address, and trainers are processes of this machine; give 127.0.0.1:0, or set TANDEM_RUNTIME=docker',
    ],
    ...['adapters', '/', '/srv/../x', '/srv/a:b', '//srv'].map((path): [Record<string, string>, string] => [
      { TANDEM_RUNTIME: 'docker', TANDEM_ADAPTERS_DIR: path },
      'TANDEM_ADAPTERS_DIR: must be the full path of a directory of the host, without a colon, such as /srv/tandem-adapters',
    ]),
  ])('says in one line what is wrong with %j', (environment, message) => {
    expect(() => read(environment)).toThrow(message);
  });

  describe('of an S3 store', () => {
    const s3 = {
      TANDEM_S3_ENDPOINT: 'http://127.0.0.1:9000',
      TANDEM_S3_ACCESS_KEY: 'access',
      TANDEM_S3_SECRET_KEY: 'not-to-be-seen',
    };

    it('are none unless there is an endpoint', () => {
      expect(read({}).s3).toBeNull();
      expect(read({ TANDEM_S3_BUCKET: 'other' }).s3).toBeNull();
    });

    it('need an endpoint and keys, and have defaults for the rest', () => {
      expect(read(s3).s3).toEqual({
        endpoint: 'http://127.0.0.1:9000',
        bucket: 'tandem',
        accessKey: 'access',
        secretKey: 'not-to-be-seen',
        region: 'us-east-1',
        prefix: '',
        publicUrl: null,
        createBucket: false,
      });
    });

    it('take the secret from a file, without the line break that editors add', () => {
      const directory = mkdtempSync(join(tmpdir(), 'tandem-settings-'));
      writeFileSync(join(directory, 'secret'), 'from-a-file\n');
      const { TANDEM_S3_SECRET_KEY: _, ...rest } = s3;
      const named = { ...rest, TANDEM_S3_SECRET_KEY_FILE: join(directory, 'secret') };
      expect(read(named).s3?.secretKey).toBe('from-a-file');
      rmSync(directory, { recursive: true });
      expect(() => read(named)).toThrow(/TANDEM_S3_SECRET_KEY_FILE: .* cannot be read \(ENOENT\)/);
    });

    it.each([
      [{ TANDEM_S3_ACCESS_KEY: '' }, /TANDEM_S3_ENDPOINT: needs TANDEM_S3_ACCESS_KEY/],
      [{ TANDEM_S3_ENDPOINT: 'minio:9000' }, /^TANDEM_S3_ENDPOINT: must be a URL without a path, such as/],
      [{ TANDEM_S3_ENDPOINT: 'http://minio:9000/tandem' }, /TANDEM_S3_ENDPOINT: must be a URL without a path, such as/],
      [
        { TANDEM_S3_ENDPOINT: 'http://user:not-to-be-seen@minio:9000' },
        /^TANDEM_S3_ENDPOINT: must not hold a user or a password; give the keys by TANDEM_S3_ACCESS_KEY/,
      ],
      [{ TANDEM_S3_PUBLIC_URL: 'https://user@files' }, /^TANDEM_S3_PUBLIC_URL: must not hold a user/],
      [{ TANDEM_S3_BUCKET: 'My_Bucket' }, /TANDEM_S3_BUCKET: must be a bucket name/],
      [{ TANDEM_S3_PREFIX: '../x' }, /TANDEM_S3_PREFIX: must be a path that ends with a slash/],
      [{ TANDEM_S3_CREATE_BUCKET: 'maybe' }, /TANDEM_S3_CREATE_BUCKET: must be true or false/],
      [{ TANDEM_SWEEP_GRACE: '-1' }, /TANDEM_SWEEP_GRACE: must be a whole number/],
    ])('say in one line what is wrong with %j, without the keys', (change, message) => {
      expect(() => read({ ...s3, ...change })).toThrow(message);
      try {
        read({ ...s3, ...change });
      } catch (error) {
        expect(String(error)).not.toContain('not-to-be-seen');
      }
    });
  });
});

describe('secrets', () => {
  it('are hidden wherever they come from: each file that holds one, and the environment, also where it is not used', () => {
    const directory = mkdtempSync(join(tmpdir(), 'tandem-settings-'));
    try {
      const files = settingsVariables.filter((name) => /_(KEY|TOKEN|PASSWORD|SECRET)_FILE$/.test(name));
      const environment: Record<string, string> = {
        TANDEM_S3_ENDPOINT: 'http://127.0.0.1:9000',
        TANDEM_S3_ACCESS_KEY: 'tandem',
      };
      for (const name of files) {
        environment[name] = join(directory, name);
        writeFileSync(environment[name], `what lies in ${name}\n`);
      }
      const redactor = createRedactor(knownSecrets(environment, read(environment)));
      expect(files.length).toBeGreaterThan(1);
      for (const name of files) expect(redactor.text(`: what lies in ${name} :`), name).toBe(': [redacted] :');
    } finally {
      rmSync(directory, { recursive: true });
    }
    const unused = { TANDEM_S3_SECRET_KEY: 'of a store that is off', TANDEM_API_KEY: 'an API key as a variable' };
    const redactor = createRedactor(knownSecrets(unused, read(unused)));
    for (const secret of Object.values(unused)) expect(redactor.text(secret)).toBe('[redacted]');
  });
});
