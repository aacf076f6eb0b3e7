import { DockerError, printable } from './docker-error.ts';

const HEADER = 8;
/** Docker cuts lines into frames of 16 KiB, some log drivers of 1 MiB; a longer one means that what is read are not frames. */
export const MAX_FRAME_BYTES = 8 << 20;

/** What a container printed at once. `payload` is part of what came in: use it before you ask for more, or copy it. */
export interface LogFrame {
  stream: 'stdout' | 'stderr';
  payload: Buffer;
}

const streams: readonly (LogFrame['stream'] | 'daemon' | undefined)[] = ['stdout', 'stdout', 'stderr', 'daemon'];

/**
 * Takes Docker's frames (8 bytes of header: stream, 0, 0, 0, length) apart, however they are cut into chunks: gives the whole frames of each chunk, in order.
 * Linear in what comes in, and holds no more than one frame and one chunk: the next chunk is read when the last frames were taken.
 * @throws DockerError `failed` for what is no frame, a frame that is too long, or an end within a frame; and what `source` throws
 */
export async function* demultiplex(
  source: AsyncIterable<Buffer>,
  maxFrameBytes: number = MAX_FRAME_BYTES,
): AsyncGenerator<LogFrame[], void, undefined> {
  let held: Buffer[] = [];
  let bytes = 0;
  let wanted = HEADER;
  for await (const chunk of source) {
    held.push(chunk);
    bytes += chunk.length;
    // Pieces of a long frame are joined once, when the last is there.
    if (bytes < wanted) continue;
    const whole = held.length === 1 ? chunk : Buffer.concat(held, bytes);
    const frames: LogFrame[] = [];
    let at = 0;
    wanted = HEADER;
    while (whole.length - at >= HEADER) {
      const length = frameLength(whole, at, maxFrameBytes);
      if (whole.length - at < HEADER + length) {
        wanted = HEADER + length;
        break;
      }
      const payload = whole.subarray(at + HEADER, at + HEADER + length);
      const stream = streams[whole[at] as number];
      if (stream === 'daemon') throw daemonError(payload);
      if (length > 0) frames.push({ stream: stream as LogFrame['stream'], payload });
      at += HEADER + length;
    }
    held = at < whole.length ? [whole.subarray(at)] : [];
    bytes = whole.length - at;
    if (frames.length > 0) yield frames;
  }
  if (bytes > 0) throw new DockerError('failed', `Read a log of Docker: it ends within a frame, ${bytes} bytes of it.`);
}

function frameLength(bytes: Buffer, at: number, maxFrameBytes: number): number {
  const kind = bytes[at] as number;
  if (kind >= streams.length || bytes[at + 1] !== 0 || bytes[at + 2] !== 0 || bytes[at + 3] !== 0) {
    const seen = bytes.toString('hex', at, at + HEADER);
    throw new DockerError(
      'failed',
      `Read a log of Docker: ${seen} is no header of a frame. Containers with a terminal (Tty) have none.`,
    );
  }
  const length = bytes.readUInt32BE(at + 4);
  if (length > maxFrameBytes) {
    throw new DockerError(
      'failed',
      `Read a log of Docker: a frame of ${length} bytes is longer than the limit of ${maxFrameBytes}.`,
    );
  }
  return length;
}

function daemonError(payload: Buffer): DockerError {
  return new DockerError('failed', `Read a log of Docker: the daemon says: ${printable(payload.toString('utf8'))}`);
}
