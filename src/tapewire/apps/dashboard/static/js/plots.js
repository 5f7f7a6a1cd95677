// The two plots of the health view, on uPlot.

import { colour } from "./dom.js";
import { boundOf, BUCKETS } from "./logic/histogram.js";
import { clock, milliseconds } from "./logic/format.js";

const { uPlot } = globalThis;
const SPAN_S = 300;

const axis = () => ({ stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" });

class Plot {
  constructor(place, options, data) {
    this.place = place;
    const size = () => ({ width: Math.max(200, place.clientWidth), height: Math.max(120, place.clientHeight) });
    this.plot = new uPlot({ ...size(), legend: { show: false }, cursor: { show: false }, ...options }, data, place);
    this.watcher = new ResizeObserver(() => this.plot.setSize(size()));
    this.watcher.observe(place);
  }

  remove() {
    this.watcher.disconnect();
    this.plot.destroy();
  }
}

/** Messages a second over time, all connections together. */
export class RatePlot extends Plot {
  constructor(place, zone) {
    const line = { stroke: colour("--accent"), width: 1.5, fill: colour("--accent-soft"), points: { show: false } };
    const times = { ...axis(), space: 90, values: (_, seconds) => seconds.map((one) => clock(one * 1000, zone)) };
    const scales = { y: { range: (_, low, high) => [0, Math.max(1, high * 1.1)] } };
    super(place, { series: [{}, line], axes: [times, { ...axis(), size: 56 }], scales }, [[], []]);
  }

  /** The last minutes until now, wherever the data begin. Times in seconds. */
  show(times, rates, now) {
    this.plot.batch(() => {
      this.plot.setData([times, rates], false);
      this.plot.setScale("x", { min: Math.min(times[0] ?? now, now - SPAN_S), max: now });
    });
  }
}

/** How many messages took how long. */
export class LatencyPlot extends Plot {
  constructor(place, language) {
    const buckets = Array.from({ length: BUCKETS }, (_, bucket) => bucket);
    const bars = { stroke: colour("--accent"), fill: colour("--accent-soft"), paths: uPlot.paths.bars({ size: [0.8, 60] }), points: { show: false } };
    const labels = (_, places) => places.map((place) => (Number.isInteger(place) && place < BUCKETS ? milliseconds(boundOf(place), language) : ""));
    const splits = () => buckets.filter((bucket) => bucket % 4 === 1);
    const options = {
      series: [{}, bars],
      scales: { x: { time: false, range: [-0.6, BUCKETS - 0.4] }, y: { range: (_, low, high) => [0, Math.max(1, high * 1.1)] } },
      axes: [{ ...axis(), values: labels, splits }, { ...axis(), size: 56 }],
    };
    super(place, options, [buckets, buckets.map(() => 0)]);
    this.buckets = buckets;
  }

  show(counts) {
    this.plot.setData([this.buckets, Array.from(counts)]);
  }
}
