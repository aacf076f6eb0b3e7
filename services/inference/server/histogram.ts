/** Counts by upper bound, in Prometheus' text format. */
export interface Histogram {
  observe(value: number): void;
  /** @param labels such as `model_name="m"` */
  render(name: string, labels: string): string[];
}

/** @param bounds upper bounds, ascending; +Inf is added. */
export function createHistogram(bounds: readonly number[], help: string): Histogram {
  const counts = new Array<number>(bounds.length + 1).fill(0);
  let sum = 0;
  return {
    observe(value) {
      const bucket = bounds.findIndex((bound) => value <= bound);
      counts[bucket < 0 ? bounds.length : bucket]!++;
      sum += value;
    },
    render(name, labels) {
      let below = 0;
      const buckets = counts.map((count, i) => {
        below += count;
        return `${name}_bucket{${labels},le="${bounds[i] ?? '+Inf'}"} ${below}`;
      });
      const totals = [`${name}_sum{${labels}} ${sum}`, `${name}_count{${labels}} ${below}`];
      return [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...buckets, ...totals];
    },
  };
}
