import { BLOCK_ROWS, blockBytes, blocksFor, type KvShape } from '../../model/kv-pool.ts';

/** Memory promised to sequences before they start, so that none ever has to be thrown out half way. */
export interface KvBudget {
  readonly limitBytes: number;
  readonly reservedBytes: number;
  /** False, and nothing reserved, when it does not fit. */
  reserve(bytes: number): boolean;
  release(bytes: number): void;
}

export function createKvBudget(limitBytes: number): KvBudget {
  let reservedBytes = 0;
  return {
    limitBytes,
    get reservedBytes() {
      return reservedBytes;
    },
    reserve(bytes) {
      if (reservedBytes + bytes > limitBytes) return false;
      reservedBytes += bytes;
      return true;
    },
    release(bytes) {
      reservedBytes -= bytes;
    },
  };
}

/** Bytes of the blocks that completions of one prompt may come to use; the last token of a completion is never read. */
export interface KvDemand {
  /** While the prompt is inside: its own rows and those of one choice at a time, so that it can always go on. */
  readonly base: number;
  /** For each choice that runs beside that one. */
  readonly choice: number;
}

/** A full block of the prompt is there once for all choices; they write into copies of its last, partial one. */
export function kvDemand(shape: KvShape, request: { promptTokens: number; maxTokens: number; n: number }): KvDemand {
  const { promptTokens, maxTokens, n } = request;
  const whole = blocksFor(promptTokens + maxTokens - 1);
  const ofChoice = whole - Math.floor(promptTokens / BLOCK_ROWS);
  const ofPrompt = n > 1 ? blocksFor(promptTokens) : whole - ofChoice;
  const bytes = blockBytes(shape);
  return { base: (ofPrompt + ofChoice) * bytes, choice: ofChoice * bytes };
}
