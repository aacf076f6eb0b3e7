import type { ModelOrigin } from '../../contracts/model-origin.ts';

/** What a file's bytes must hash to: sha256, or, for a small file of a hub, the id of its git blob. */
export interface FileHash {
  algorithm: 'sha256' | 'git-blob';
  hex: string;
}

export interface ModelFile {
  path: string;
  /** In bytes. */
  size: number;
  /** Null where nobody states one; then only the size is checked. */
  hash: FileHash | null;
}

/** A model as it is to be fetched. */
export interface ModelListing {
  origin: ModelOrigin;
  files: readonly ModelFile[];
  /** Its `config.json`, by which it is judged before its weights are there. */
  config: Record<string, unknown>;
}

/** A model's bytes, from wherever they come. */
export interface ModelBytes {
  /**
   * Bytes of a file from position `from` on, or from 0 where the other side cannot begin in the middle; `at` says which.
   * Throws ModelFetchError.
   */
  open(file: ModelFile, from: number, signal: AbortSignal): Promise<{ at: number; body: AsyncIterable<Buffer> }>;
}

/** As people know it: `Qwen/Qwen3-0.6B at 1234567`. */
export function describeOrigin(origin: ModelOrigin): string {
  if (origin.kind === 'store') return `store:${origin.prefix}`;
  return `${origin.repo} at ${origin.commit.slice(0, 7)}`;
}

export function totalBytes(files: readonly ModelFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** Of things that have a number of bytes. */
export function sumOf(all: readonly { bytes: number }[]): number {
  return all.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Bytes for people: `988.1 MB`. */
export function inBytes(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
