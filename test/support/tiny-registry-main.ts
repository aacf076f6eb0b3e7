import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

/**
 * Usage: `tiny-registry-main.js <pause>`: a registry on loopback with one image of two layers, `tiny:1`. A layer comes in eight pieces, `pause` ms apart.
 * Prints its address.
 */
const PIECES = 8;
const pauseMs = Number(process.argv[2]);
const blobs = new Map<string, Buffer>();
const sha256 = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const keep = (bytes: Buffer) => {
  const digest = sha256(bytes);
  blobs.set(digest, bytes);
  return { digest, size: bytes.length };
};

async function layer(name: string): Promise<{ blob: Buffer; id: string }> {
  const tar = pack();
  tar.entry({ name }, randomBytes(2 << 20));
  tar.finalize();
  const bytes = await buffer(tar);
  return { blob: gzipSync(bytes), id: sha256(bytes) };
}

const made = [await layer('first'), await layer('second')];
const layers = made.map(({ blob }) => keep(blob));
const config = keep(
  Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Entrypoint: ['/first'], User: '2000' },
      rootfs: { type: 'layers', diff_ids: made.map(({ id }) => id) },
    }),
  ),
);
const type = 'application/vnd.docker.distribution.manifest.v2+json';
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: type,
    config: { mediaType: 'application/vnd.docker.container.image.v1+json', ...config },
    layers: layers.map((each) => ({ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', ...each })),
  }),
);

const server = createServer(async (request, response) => {
  const url = request.url ?? '';
  const name = url.split('/').at(-1) ?? '';
  if (url === '/v2/') return response.end('{}');
  if (url.includes('/manifests/')) {
    const known = ['1', keep(manifest).digest].includes(name);
    if (!known)
      return response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
    response.writeHead(200, {
      'Content-Type': type,
      'Docker-Content-Digest': keep(manifest).digest,
      'Content-Length': manifest.length,
    });
    return response.end(request.method === 'HEAD' ? undefined : manifest);
  }
  const blob = blobs.get(name);
  if (blob === undefined) return response.writeHead(404).end();
  response.writeHead(200, { 'Content-Length': blob.length });
  for (let piece = 0; piece < PIECES; piece += 1) {
    response.write(blob.subarray((piece * blob.length) / PIECES, ((piece + 1) * blob.length) / PIECES));
    if (blob.length > PIECES * 1024) await delay(pauseMs);
  }
  return response.end();
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
