import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../platform/object-store.ts';
import { StorageFaultError } from '../../platform/storage-error.ts';
import { type MemoryStore, openMemoryStore } from '../../platform/testing/memory-store.ts';
import type { S3Settings } from '../settings/s3.ts';
import { StartError } from '../start-error.ts';
import { openHomeFile } from './home-file.ts';
import { openObjects } from './open-objects.ts';

let home: string;
let memory: MemoryStore;
let warnings: string[];
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'tandem-home-'));
  memory = await openMemoryStore();
  warnings = [];
});
afterEach(async () => {
  rmSync(home, { recursive: true });
  await memory.close();
});

const s3: S3Settings = {
  endpoint: 'http://127.0.0.1:9000',
  bucket: 'tandem',
  accessKey: 'access',
  secretKey: 'not-to-be-seen',
  region: 'us-east-1',
  prefix: '',
  publicUrl: null,
  createBucket: false,
};
let seconds = 0;
const open = async (wanted: S3Settings | null, connect: () => Promise<ObjectStore> = async () => memory.store) => {
  const { store } = await openObjects({
    home,
    homeFile: await openHomeFile(home),
    s3: wanted,
    connect,
    steady: () => seconds * 1000,
    wait: async (ms) => {
      seconds += ms / 1000;
    },
    log: { warn: (message) => warnings.push(message) },
  });
  return store;
};
const remembered = () => (JSON.parse(readFileSync(join(home, 'home.json'), 'utf8')) as { store?: unknown }).store;
const unreachable = () =>
  new StorageFaultError({ kind: 'unreachable', message: 'the object store at x does not answer; start it' }, {});

describe('openObjects', () => {
  it('keeps files below the home where nothing is set, and remembers it', async () => {
    const store = await open(null);
    expect(store.localDirectory('runs/')).toBe(join(home, 'objects/runs'));
    expect(remembered()).toEqual({ kind: 'files' });
    await open(null);
  });

  it('opens the S3 store that is set, marks it as its own, and finds it again under another address', async () => {
    await open(s3);
    expect(remembered()).toEqual({ kind: 's3', bucket: 'tandem' });
    expect([...memory.objects.keys()]).toEqual([expect.stringMatching(/^homes\/[0-9a-f-]{36}\.json$/)]);
    await open({ ...s3, endpoint: 'http://minio:9000' });
    expect(warnings).toEqual([]);
  });

  it('refuses S3 for a home that has checkpoints as files, also one that does not remember it', async () => {
    mkdirSync(join(home, 'objects/runs'), { recursive: true });
    await expect(open(s3)).rejects.toThrow(StartError);
    await expect(open(s3)).rejects.toThrow(
      `has its checkpoints in ${join(home, 'objects')}, and the S3 bucket tandem is set: unset TANDEM_S3_ENDPOINT, give this control plane another TANDEM_HOME, or move the objects`,
    );
  });

  it('refuses files, another bucket and another prefix for a home that has checkpoints in a bucket', async () => {
    await open(s3);
    await expect(open(null)).rejects.toThrow(
      /in the S3 bucket tandem, and TANDEM_S3_ENDPOINT is not set: set TANDEM_S3_ENDPOINT again/,
    );
    await expect(open({ ...s3, bucket: 'other' })).rejects.toThrow(/the S3 bucket other is set: set TANDEM_S3_BUCKET/);
    await expect(open({ ...s3, prefix: 'a/' })).rejects.toThrow(/the S3 bucket tandem below a\/ is set/);
  });

  it('refuses a bucket of the same name that is another one, in which every checkpoint would look deleted', async () => {
    await open(s3);
    memory.objects.clear();
    await expect(open(s3)).rejects.toThrow(
      /bucket tandem at http:\/\/127\.0\.0\.1:9000 is not the one that .* has its checkpoints in/,
    );
  });

  it('warns of another installation in the same bucket, whose runs a rebuild would take over', async () => {
    await memory.store.put('homes/other.json', Buffer.from('{}'));
    await open(s3);
    expect(warnings).toEqual([expect.stringMatching(/Another installation has used this bucket/)]);
  });

  it('waits for a store that is not there yet', async () => {
    let tries = 0;
    await open(s3, async () => {
      if (++tries < 4) throw unreachable();
      return memory.store;
    });
    expect([tries, warnings.length]).toEqual([4, 1]);
  });

  it('says after a while that the store is away, and at once what waiting does not mend; never a key', async () => {
    const away = open(s3, async () => {
      throw unreachable();
    });
    await expect(away).rejects.toThrow('TANDEM_S3_ENDPOINT: the object store at x does not answer; start it');
    let tries = 0;
    const refused = open(s3, async () => {
      tries += 1;
      throw new StorageFaultError({ kind: 'refused', message: 'the bucket tandem is missing; make it' }, {});
    });
    await expect(refused).rejects.toThrow(StartError);
    expect(tries).toBe(1);
    expect(remembered()).toBeUndefined();
    await away.catch((error: unknown) => expect(String(error)).not.toContain(s3.secretKey));
  });
});
