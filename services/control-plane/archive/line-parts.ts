import type { ArchiveEntry } from './write-tar.ts';

/** The text of a part: what is held in memory at a time, because an entry's size comes before its content. */
export const PART_BYTES = 4 * 1024 * 1024;

export interface NamedLine {
  /** File the line belongs to. */
  file: string;
  line: string;
}

/**
 * Gathers lines into entries: `logs/training.log`, and when that is full `logs/training.part-0002.log` and so on. Lines keep their order
 * within a file. Holds one part of each file in memory.
 */
export async function* lineParts(
  lines: AsyncIterable<NamedLine> | Iterable<NamedLine>,
  partBytes = PART_BYTES,
): AsyncGenerator<ArchiveEntry> {
  const open = new Map<string, { part: number; bytes: number; lines: string[] }>();
  for await (const { file, line } of lines) {
    let entry = open.get(file);
    if (entry === undefined) {
      entry = { part: 1, bytes: 0, lines: [] };
      open.set(file, entry);
    }
    const bytes = Buffer.byteLength(line) + 1;
    if (entry.lines.length > 0 && entry.bytes + bytes > partBytes) {
      yield { name: partName(file, entry.part), content: textOf(entry.lines) };
      Object.assign(entry, { part: entry.part + 1, bytes: 0, lines: [] });
    }
    entry.lines.push(line);
    entry.bytes += bytes;
  }
  for (const [file, { part, lines: last }] of open) yield { name: partName(file, part), content: textOf(last) };
}

function partName(file: string, part: number): string {
  return part === 1 ? file : file.replace(/(\.[^./]+)$/, `.part-${String(part).padStart(4, '0')}$1`);
}

function textOf(lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join('\n')}\n`);
}
