import * as tf from '../../tf.ts';

/** Tensors that outlive the scope they were made in, by a key. Beyond `capacity` those go that were not asked for the longest: ask again for each use. */
export function keptTensors<T extends tf.Tensor>(capacity: number): (key: string, make: () => T) => T {
  const kept = new Map<string, T>();
  return (key, make) => {
    const tensor = kept.get(key) ?? tf.keep(make());
    // The last asked for goes last.
    kept.delete(key);
    kept.set(key, tensor);
    if (kept.size > capacity) {
      const [oldest, unused] = kept.entries().next().value!;
      kept.delete(oldest);
      unused.dispose();
    }
    return tensor;
  };
}
