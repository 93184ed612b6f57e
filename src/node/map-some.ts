// Calls for each of many things, a few at a time.

/** Maps with at most `atOnce` calls under way; after the first that fails no more are begun. */
export async function mapSome<A, B>(
  items: readonly A[],
  atOnce: number,
  call: (item: A) => Promise<B>,
): Promise<readonly B[]> {
  const results = new Array<B>(items.length);
  let next = 0;
  let isFailed = false;
  const work = async (): Promise<void> => {
    while (next < items.length && !isFailed) {
      const at = next;
      next += 1;
      const item = items[at];
      if (item === undefined) continue;
      try {
        results[at] = await call(item);
      } catch (error) {
        isFailed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  return results;
}
