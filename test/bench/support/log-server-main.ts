import { createServer, type ServerResponse } from 'node:http';

/** Where the times of a follower's lines begin; line `n` is `n` milliseconds later, so a client may go on from a time. */
const FIRST = Date.parse('2026-01-31T00:00:00Z');
/** Frames that go to the kernel at once; each is an HTTP chunk of its own, as Docker sends them. */
const AT_ONCE = 64;

/**
 * Usage: `log-server-main.js <socket> <lines> <cut>`: a Docker daemon that knows logs alone, of `lines` lines of 40 bytes each. It breaks the first connection for each
 * container off after `cut` lines, give or take, within a frame. Prints a line when it listens.
 */
const [socketPath = '', lines = '', cut = ''] = process.argv.slice(2);
const known = new Set<string>();

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? '', 'http://docker');
  const container = url.pathname.split('/').at(-2) ?? '';
  const since = url.searchParams.get('since');
  const from = since === null ? 0 : Math.round(Number(since) * 1000) - FIRST;
  const number = Number(container.slice(1));
  const until = known.has(container) ? Number(lines) : Number(cut) + (number % 97);
  known.add(container);
  response.writeHead(200, { 'Content-Type': 'application/vnd.docker.raw-stream' });
  for (let line = from; line < until; ) {
    response.cork();
    for (const end = Math.min(until, line + AT_ONCE); line < end; line += 1) response.write(frame(line));
    response.uncork();
    if (response.writableNeedDrain) await drained(response);
    if (response.destroyed) return;
  }
  if (until === Number(lines)) response.end();
  else response.write(frame(until).subarray(0, 20), () => response.destroy());
});
server.listen(socketPath, () => process.stdout.write('listening\n'));

function frame(line: number): Buffer {
  const text = `${new Date(FIRST + line).toISOString().slice(0, -1)}000000Z ${String(line).padStart(39, '.')}\n`;
  const bytes = Buffer.alloc(8 + text.length);
  bytes[0] = line % 8 === 0 ? 2 : 1;
  bytes.writeUInt32BE(text.length, 4);
  bytes.write(text, 8, 'latin1');
  return bytes;
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('drain', resolve);
    response.once('close', resolve);
  });
}
