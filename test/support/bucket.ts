import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'minio';
import { expect } from 'vitest';
import { MANIFEST_FILE, type Manifest, manifestSchema } from '../../services/contracts/checkpoint.ts';
import type { S3Server } from './s3-servers.ts';

/** A bucket as its server holds it; Tandem and the proxy are not asked. */
export interface Bucket {
  client: Client;
  /** Every object, by key. */
  objects(prefix?: string): Promise<Objects>;
  read(key: string): Promise<Buffer>;
  /** Every manifest below `prefix`, by the prefix of its checkpoint; `among` is a listing, where there is one already. */
  manifests(prefix?: string, among?: Objects): Promise<Map<string, Manifest>>;
  /** What was found to have the sha256 that its manifest says, by key, ETag and sha256: it is not read again until it is written anew. */
  verified: Set<string>;
  /** Directories of unfinished multipart uploads on the server's disk. */
  unfinishedUploads(): string[];
}

/** Bytes, and the ETag, which is of the content. */
export type Objects = Map<string, { size: number; etag: string }>;

export function openBucket(server: S3Server): Bucket {
  const client = clientOf(server, server.endpoint);
  /** What has been read, by key and ETag: who looks again and again reads each manifest once. */
  const known = new Map<string, Manifest>();
  async function read(key: string): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of await client.getObject(server.bucket, key)) pieces.push(piece as Buffer);
    return Buffer.concat(pieces);
  }
  async function objects(prefix = ''): Promise<Objects> {
    const found: Objects = new Map();
    for await (const { name, size, etag } of client.listObjectsV2(server.bucket, prefix, true))
      found.set(name, { size, etag });
    return found;
  }
  async function manifestAt(key: string, etag: string): Promise<Manifest | null> {
    const name = `${key} ${etag}`;
    if (!known.has(name)) {
      const bytes = await read(key).catch(nullWhenGone);
      if (bytes === null) return null;
      known.set(name, manifestSchema.parse(JSON.parse(String(bytes))));
    }
    return known.get(name)!;
  }
  return {
    client,
    read,
    objects,
    verified: new Set(),
    async manifests(prefix, among) {
      const found = new Map<string, Manifest>();
      for (const [key, { etag }] of among ?? (await objects(prefix))) {
        const manifest = key.endsWith(`/${MANIFEST_FILE}`) ? await manifestAt(key, etag) : null;
        if (manifest !== null) found.set(key.slice(0, -MANIFEST_FILE.length), manifest);
      }
      return found;
    },
    unfinishedUploads: () => (server.name === 'minio' ? minioUploads(server.directory) : gatewayUploads(server)),
  };
}

/** A client of the server, by way of `endpoint`. */
export function clientOf({ accessKey, secretKey, region }: S3Server, endpoint: string): Client {
  const { hostname, port } = new URL(endpoint);
  return new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey, region });
}

/**
 * Every manifest points at files that are there with their size and, when `hash`, their sha256, whole and by parts. May be asked at any moment:
 * a checkpoint that is written or deleted while the bucket is listed is looked at again. Returns how many checkpoints there are.
 */
export async function expectSoundBucket(bucket: Bucket, { hash }: { hash: boolean }): Promise<number> {
  const all = await bucket.objects('runs/');
  const manifests = await bucket.manifests('runs/', all);
  for (const [prefix, manifest] of manifests) {
    if ((await faultsOf(bucket, prefix, manifest, all, hash)).length === 0) continue;
    const wrong = await faultsOf(bucket, prefix, manifest, await bucket.objects(prefix), hash);
    if (wrong.length > 0 && (await bucket.objects(prefix + MANIFEST_FILE)).size > 0) expect(wrong, prefix).toEqual([]);
  }
  return manifests.size;
}

interface FileFault {
  path: string;
  is: unknown;
  should: unknown;
}

async function faultsOf(
  bucket: Bucket,
  prefix: string,
  { files }: Manifest,
  objects: Objects,
  hash: boolean,
): Promise<FileFault[]> {
  const wrong: FileFault[] = [];
  for (const file of files) {
    const { path, size } = file;
    const object = objects.get(prefix + path);
    if (object?.size !== size) wrong.push({ path, is: object?.size ?? null, should: size });
    else if (hash) wrong.push(...(await hashFaults(bucket, prefix + path, object.etag, file)));
  }
  return wrong;
}

async function hashFaults(
  { read, verified }: Bucket,
  key: string,
  etag: string,
  { path, size, sha256: whole, parts }: Manifest['files'][number],
): Promise<FileFault[]> {
  const name = `${key} ${etag} ${whole}`;
  if (verified.has(name)) return [];
  const bytes = await read(key).catch(nullWhenGone);
  if (bytes === null) return [{ path, is: null, should: size }];
  const wrong: FileFault[] = [];
  const is = sha256(bytes);
  if (is !== whole) wrong.push({ path, is, should: whole });
  const ofParts = parts?.sha256.map((_, i) => sha256(bytes.subarray(i * parts.size, (i + 1) * parts.size)));
  if (ofParts !== undefined && String(ofParts) !== String(parts?.sha256))
    wrong.push({ path, is: ofParts, should: parts?.sha256 });
  if (wrong.length === 0) verified.add(name);
  return wrong;
}

/** Within `seconds` every object of a checkpoint belongs to a manifest that names it, and no multipart upload is left. */
export async function expectNothingLeaked(bucket: Bucket, seconds = 30): Promise<void> {
  for (const deadline = Date.now() + seconds * 1000; ; await sleep(250)) {
    const leaked = { objects: await objectsWithoutManifest(bucket), uploads: bucket.unfinishedUploads() };
    if (leaked.objects.length === 0 && leaked.uploads.length === 0) return;
    if (Date.now() > deadline) throw new Error(`left over: ${JSON.stringify(leaked)}`);
  }
}

export async function objectsWithoutManifest(bucket: Bucket): Promise<string[]> {
  const named = new Set<string>();
  for (const [prefix, { files }] of await bucket.manifests('runs/')) {
    for (const { path } of files) named.add(prefix + path);
    named.add(prefix + MANIFEST_FILE);
  }
  return [...(await bucket.objects('runs/')).keys()].filter((key) => key.includes('/checkpoints/') && !named.has(key));
}

/** MinIO keeps them as `.minio.sys/multipart/<hash of the key>/<upload>`. */
function minioUploads(data: string): string[] {
  const root = join(data, '.minio.sys/multipart');
  return names(root).flatMap((key) => names(join(root, key)).map((upload) => `${key}/${upload}`));
}

/** versitygw keeps them in the bucket, as `.sgwtmp/multipart/<hash of the key>/<upload>`. */
function gatewayUploads({ directory, bucket }: S3Server): string[] {
  const root = join(directory, bucket, '.sgwtmp/multipart');
  return names(root).flatMap((key) => names(join(root, key)).map((upload) => `${key}/${upload}`));
}

function names(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function nullWhenGone(error: unknown): null {
  if ((error as { code?: string }).code === 'NoSuchKey') return null;
  throw error;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
