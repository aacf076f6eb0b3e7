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
  /** Every object: key to bytes. */
  sizes(prefix?: string): Promise<Map<string, number>>;
  read(key: string): Promise<Buffer>;
  /** Every manifest below `prefix`, by the prefix of its checkpoint. */
  manifests(prefix?: string): Promise<Map<string, Manifest>>;
  /** Directories of unfinished multipart uploads on the server's disk. */
  unfinishedUploads(): string[];
}

export function openBucket(server: S3Server): Bucket {
  const client = clientOf(server, server.endpoint);
  async function read(key: string): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of await client.getObject(server.bucket, key)) pieces.push(piece as Buffer);
    return Buffer.concat(pieces);
  }
  async function sizes(prefix = ''): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for await (const { name, size } of client.listObjectsV2(server.bucket, prefix, true)) found.set(name, size);
    return found;
  }
  return {
    client,
    read,
    sizes,
    async manifests(prefix) {
      const keys = [...(await sizes(prefix)).keys()].filter((key) => key.endsWith(`/${MANIFEST_FILE}`));
      const found = new Map<string, Manifest>();
      for (const key of keys) {
        const bytes = await read(key).catch(nullWhenGone);
        if (bytes !== null)
          found.set(key.slice(0, -MANIFEST_FILE.length), manifestSchema.parse(JSON.parse(String(bytes))));
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
 * what loses its manifest meanwhile is being deleted. Returns how many checkpoints there are.
 */
export async function expectSoundBucket(bucket: Bucket, { hash }: { hash: boolean }): Promise<number> {
  const manifests = await bucket.manifests('runs/');
  for (const [prefix, manifest] of manifests) {
    const wrong = await faultsOf(bucket, prefix, manifest, hash);
    if (wrong.length > 0 && (await bucket.sizes(prefix + MANIFEST_FILE)).size > 0) expect(wrong, prefix).toEqual([]);
  }
  return manifests.size;
}

async function faultsOf(
  bucket: Bucket,
  prefix: string,
  { files }: Manifest,
  hash: boolean,
): Promise<{ path: string; is: unknown; should: unknown }[]> {
  const sizes = await bucket.sizes(prefix);
  const wrong: { path: string; is: unknown; should: unknown }[] = [];
  for (const { path, size, sha256: whole, parts } of files) {
    const is = sizes.get(prefix + path) ?? null;
    if (is !== size) wrong.push({ path, is, should: size });
    if (is !== size || !hash) continue;
    const bytes = await bucket.read(prefix + path).catch(nullWhenGone);
    if (bytes === null) {
      wrong.push({ path, is: null, should: size });
      continue;
    }
    if (sha256(bytes) !== whole) wrong.push({ path, is: sha256(bytes), should: whole });
    const ofParts = parts?.sha256.map((_, i) => sha256(bytes.subarray(i * parts.size, (i + 1) * parts.size)));
    if (ofParts !== undefined && String(ofParts) !== String(parts?.sha256))
      wrong.push({ path, is: ofParts, should: parts?.sha256 });
  }
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
  return [...(await bucket.sizes('runs/')).keys()].filter((key) => key.includes('/checkpoints/') && !named.has(key));
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
