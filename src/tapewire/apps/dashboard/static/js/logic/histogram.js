// Latencies in buckets whose widths grow: each bound is 1.6 times the one before.

const FIRST_MS = 1;
const GROWTH = 1.6;
export const BUCKETS = 20;
const DECAY_AT = 200_000;

/** Upper bound of a bucket in milliseconds; the last one has none. */
export const boundOf = (bucket) => FIRST_MS * GROWTH ** bucket;

/** The newest latencies weigh most: at 200,000 samples all counts are halved. */
export class Histogram {
  constructor() {
    this.counts = new Float64Array(BUCKETS);
    this.total = 0;
    this.version = 0;
    this.below = 0;
  }

  /** One sample; clocks differ, so it may be below 0: such ones are in the first bucket, and counted. */
  add(ms) {
    const bucket = ms <= FIRST_MS ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / FIRST_MS) / Math.log(GROWTH) - 1e-9));
    if (ms < 0) this.below += 1;
    this.counts[bucket] += 1;
    this.total += 1;
    this.version += 1;
    if (this.total >= DECAY_AT) this.halve();
  }

  halve() {
    this.counts = this.counts.map((count) => Math.floor(count / 2));
    this.total = this.counts.reduce((sum, count) => sum + count, 0);
    this.below = Math.floor(this.below / 2);
  }

  /** Upper bound of the bucket in which the share of samples is reached, null without samples. */
  quantile(share) {
    if (this.total === 0) return null;
    let sum = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      sum += this.counts[bucket];
      if (sum >= this.total * share) return boundOf(bucket);
    }
    return boundOf(BUCKETS - 1);
  }
}
