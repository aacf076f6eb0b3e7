/**
 * Waits until all of it has come to rest, `ms` at most. For the end of the process: a request to a store that does not answer cannot be taken back, and
 * everything may be killed at any point anyway.
 */
export async function settleWithin(work: readonly Promise<unknown>[], ms: number): Promise<void> {
  if (work.length === 0) return;
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([Promise.allSettled(work), overdue]);
  clearTimeout(timer);
}
