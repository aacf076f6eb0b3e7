/** A model that was fetched, or is, or that a fetch has left half-way. */
export interface CachedModel {
  directory: string;
  /** Its name and commit, or where it lies in the object store, for people. */
  label: string;
  /** Here now. */
  bytes: number;
  /** Once all of it is here. */
  whole: number;
  /** When it was last asked for, or a run on it has ended, in milliseconds since the epoch. */
  usedAt: number;
}

/** Those that go so that `bytes` come free, least recently used first; all of them where that is not enough. */
export function chooseRemovals(removable: readonly CachedModel[], bytes: number): CachedModel[] {
  const chosen: CachedModel[] = [];
  let freed = 0;
  for (const model of removable.toSorted((one, other) => one.usedAt - other.usedAt)) {
    if (freed >= bytes) break;
    chosen.push(model);
    freed += model.bytes;
  }
  return chosen;
}
