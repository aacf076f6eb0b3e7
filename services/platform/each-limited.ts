/**
 * `work` on every item, at most `limit` at a time; results in the order of the items. The first error ends it: nothing further is begun, what is
 * under way is waited for.
 */
export async function eachLimited<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  const failed: { error: unknown }[] = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length && failed.length === 0) {
      const at = next++;
      try {
        results[at] = await work(items[at] as T);
      } catch (error) {
        failed.push({ error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  if (failed[0] !== undefined) throw failed[0].error;
  return results;
}
