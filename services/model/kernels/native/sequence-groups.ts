import type { AttentionSpan } from '../attention.ts';

/** Sequences of nearly one length, side by side: [count, length] places. */
export interface SequenceGroup {
  readonly count: number;
  readonly length: number;
}

/** How the rows of a packed batch lie in groups. */
export interface GroupedRows {
  readonly groups: readonly SequenceGroup[];
  /** Absent when the groups' places are the batch's rows, in order. */
  readonly moved?: {
    /** Row of each place of all groups, one after another; row 0 where there is none. */
    readonly rows: Int32Array;
    /** Per place: 1, or 0 where it only fills up a shorter sequence. */
    readonly filled: Float32Array;
    /** Place of each row. */
    readonly places: Int32Array;
  };
}

/** Attention over a group costs the same for all of it, so lengths in it differ by so much at most. */
const MAX_PADDING = 1 / 8;

/** Sequences, longest first, in as few groups as their lengths allow. */
export function groupSequences(spans: readonly AttentionSpan[]): GroupedRows {
  const first = spans[0]!.queryLength;
  if (spans.every(({ queryLength }) => queryLength === first))
    return { groups: [{ count: spans.length, length: first }] };
  const longestFirst = [...spans].sort((a, b) => b.queryLength - a.queryLength);
  const groups: { length: number; members: AttentionSpan[] }[] = [];
  for (const span of longestFirst) {
    const group = groups.at(-1);
    if (group && group.length * (1 - MAX_PADDING) <= span.queryLength) group.members.push(span);
    else groups.push({ length: span.queryLength, members: [span] });
  }
  return {
    groups: groups.map(({ length, members }) => ({ count: members.length, length })),
    moved: layOut(groups),
  };
}

function layOut(groups: readonly { length: number; members: readonly AttentionSpan[] }[]) {
  const size = groups.reduce((sum, { length, members }) => sum + length * members.length, 0);
  const rowCount = groups.flatMap(({ members }) => members).reduce((sum, { queryLength }) => sum + queryLength, 0);
  const [rows, filled, places] = [new Int32Array(size), new Float32Array(size), new Int32Array(rowCount)];
  let at = 0;
  for (const { length, members } of groups) {
    for (const { queryStart, queryLength } of members) {
      for (let i = 0; i < queryLength; i++) {
        rows[at + i] = queryStart + i;
        filled[at + i] = 1;
        places[queryStart + i] = at + i;
      }
      at += length;
    }
  }
  return { rows, filled, places };
}
