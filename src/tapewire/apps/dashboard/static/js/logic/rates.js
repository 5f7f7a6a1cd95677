// Counts that only grow, as rates over time.

export const POINTS = 300;

/** One series: told a count now and then, it keeps the rates between. */
export class Rates {
  constructor(points = POINTS) {
    this.points = points;
    this.times = [];
    this.rates = [];
    this.last = null;
  }

  /** The count at a time (ms). A count that fell is a new beginning. */
  tell(at, count) {
    if (this.last !== null && at > this.last.at && count >= this.last.count) {
      this.times.push(at / 1000);
      this.rates.push(((count - this.last.count) * 1000) / (at - this.last.at));
      if (this.times.length > this.points) {
        this.times.shift();
        this.rates.shift();
      }
    }
    if (this.last === null || at > this.last.at) this.last = { at, count };
  }

  get newest() {
    return this.rates.at(-1) ?? null;
  }
}
