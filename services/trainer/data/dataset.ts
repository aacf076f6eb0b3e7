import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { ChatMessage } from '../../model/tokenizer.ts';
import { TrainerError } from '../failure.ts';
import { parseExample } from './parse-example.ts';

/** One line of a data set, checked but not yet tokenised. */
export interface Example {
  /** `id` of the line if it has one, else `<set>_<line>`. */
  readonly id: string;
  readonly line: number;
  readonly messages: readonly ChatMessage[];
  /** Whether the line gave bare text as `prompt`: without a chat template it is used as it stands. */
  readonly plain: boolean;
  /** What the model should answer; null when the line has neither `completion` nor `answer`. */
  readonly answer: string | null;
}

export interface Dataset {
  readonly path: string;
  readonly examples: readonly Example[];
  /** Of the file's bytes. */
  readonly sha256: string;
}

/** A line longer than this is no training example but a wrong file. */
const MAX_LINE_BYTES = 16 << 20;

/**
 * Reads a JSONL file of `{prompt | messages, completion | answer}`, a line at a time. Blank lines are skipped.
 *
 * @param set `train` or `val`, for the ids of lines that have none
 * @throws TrainerError `invalid_data` naming the line, what is wrong with it and the remedy.
 */
export async function readDataset(path: string, set: 'train' | 'val'): Promise<Dataset> {
  const hash = createHash('sha256');
  const examples: Example[] = [];
  let number = 0;
  for await (const line of lines(path, (chunk) => hash.update(chunk))) {
    number += 1;
    if (line.trim() !== '') examples.push(parseExample(line, { path, number, set }));
  }
  if (examples.length === 0) {
    throw new TrainerError('invalid_data', `${path} has no examples`, 'Give one JSON object per line.');
  }
  return { path, examples, sha256: hash.digest('hex') };
}

async function* lines(path: string, onChunk: (chunk: Buffer) => void): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = Buffer.alloc(0);
  let number = 0;
  const text = (bytes: Buffer) => {
    number += 1;
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw new TrainerError('invalid_data', `${path}:${number}: the line is not UTF-8`, 'Save the file as UTF-8.', {
        cause,
      });
    }
  };
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      onChunk(chunk);
      let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
        yield text(bytes.subarray(0, end));
        bytes = bytes.subarray(end + 1);
      }
      if (bytes.length > MAX_LINE_BYTES) {
        throw new TrainerError(
          'invalid_data',
          `${path}:${number + 1}: the line is longer than ${MAX_LINE_BYTES} bytes`,
          'Give one JSON object per line (JSONL), not one JSON document.',
        );
      }
      rest = Buffer.from(bytes);
    }
  } catch (error) {
    if (error instanceof TrainerError) throw error;
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new TrainerError(
      'invalid_data',
      `${path} cannot be read (${reason})`,
      'Check the path and its permissions.',
      {
        cause: error,
      },
    );
  }
  if (rest.length > 0) yield text(rest);
}
