// A price since the page was opened, in a bounded number of points.

export const TREND_POINTS = 64;

/** Told a value a second: when it is full, every second point goes and each new one stands for twice the time. */
export class Trend {
  constructor(most = TREND_POINTS) {
    Object.assign(this, { most, values: [], stride: 1, waited: 0, version: 0 });
  }

  push(value) {
    this.waited += 1;
    if (this.waited < this.stride) return;
    this.waited = 0;
    this.values.push(value);
    this.version += 1;
    if (this.values.length < this.most) return;
    this.values = this.values.filter((_, place) => place % 2 === 0);
    this.stride *= 2;
  }
}
