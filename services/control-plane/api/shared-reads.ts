/** Runs a read, or joins one of the same key that is under way. */
export type SharedReads = <T>(key: string, read: () => Promise<T>) => Promise<T>;

/**
 * What many followers need at the same moment is read once: a thousand of them woken by one line cost one read, not a thousand. Nothing is kept
 * after a read has ended, so the key has to say everything about it: what is read, from where, and how much there is to read.
 */
export function createSharedReads(): SharedReads {
  const underWay = new Map<string, Promise<unknown>>();
  return <T>(key: string, read: () => Promise<T>) => {
    const joined = underWay.get(key) as Promise<T> | undefined;
    if (joined !== undefined) return joined;
    const started = read().finally(() => underWay.delete(key));
    underWay.set(key, started);
    return started;
  };
}
