import { StringDecoder } from 'node:string_decoder';
import { DockerError } from './docker-error.ts';

const MAX_LINE = 1 << 20;

/**
 * The lines of each chunk, without their ends and without empty ones; also the last line, which may have no end. Characters cut by a chunk stay whole.
 * @throws DockerError `failed` for a line of more than `maxLine` characters
 */
export async function* splitLines(
  source: AsyncIterable<Buffer>,
  maxLine: number = MAX_LINE,
): AsyncGenerator<string[], void, undefined> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of source) {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLine)
      throw new DockerError('failed', `The Docker daemon sent a line of more than ${maxLine} characters.`);
    yield lines.map((line) => line.trim()).filter((line) => line !== '');
  }
  const last = (rest + decoder.end()).trim();
  if (last !== '') yield [last];
}
