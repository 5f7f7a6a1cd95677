// An order book as rows of a ladder: grouped by price, with the sum from the best price outward.

import { decimalsOf } from "./format.js";

const NICE = [1, 2, 5];
const CLOSE = 1e-9;

/** The levels of one side that there are: Upbit pairs the sides, and pads a thin book with zeros; OKX sends them apart. */
export function levels(book, side) {
  const apart = book?.[`${side}s`]?.map(([price, size]) => ({ price, size }));
  const paired = () => (book?.orderbook_units ?? []).map((unit) => ({ price: unit[`${side}_price`], size: unit[`${side}_size`] }));
  return (apart ?? paired()).filter(({ price, size }) => price > 0 && size > 0);
}

/** Smallest distance of two neighbours on either side, 0 when there are none. */
export function tickOf(book) {
  let least = Infinity;
  for (const side of ["ask", "bid"]) {
    const prices = levels(book, side).map(({ price }) => price);
    for (let i = 1; i < prices.length; i += 1) {
      const gap = Math.abs(prices[i] - prices[i - 1]);
      if (gap > 0) least = Math.min(least, gap);
    }
  }
  return least === Infinity ? 0 : Number(least.toPrecision(6));
}

/** Steps to group by: 1, 2, 5, 10 … times the power of ten that is no larger than the tick. */
export function steps(tick, most = 7) {
  if (!(tick > 0)) return [];
  const found = [];
  for (let power = Math.floor(Math.log10(tick) + CLOSE); found.length < most; power += 1) {
    for (const nice of NICE) {
      const step = Number(`${nice}e${power}`);
      if (step > tick * (1 + CLOSE) && found.length < most) found.push(step);
    }
  }
  return found;
}

/** One side grouped: bids go down to their step, asks up, so that no group looks better than what is in it. */
export function group(side, sideLevels, step) {
  if (!(step > 0)) return sideLevels.map((level) => ({ ...level }));
  const decimals = decimalsOf(step);
  const grouped = [];
  for (const { price, size } of sideLevels) {
    const steps = price / step;
    const whole = side === "bid" ? Math.floor(steps + CLOSE * steps) : Math.ceil(steps - CLOSE * steps);
    const bucket = Number((whole * step).toFixed(decimals));
    const last = grouped.at(-1);
    if (last && last.price === bucket) last.size += size;
    else grouped.push({ price: bucket, size });
  }
  return grouped;
}

/** The ladder of a book: so many rows a side, the best first; `share` is the sum's part of the largest sum shown. */
export function ladder(book, step, count) {
  const sides = { ask: [], bid: [] };
  let most = 0;
  for (const side of ["ask", "bid"]) {
    let total = 0;
    sides[side] = group(side, levels(book, side), step).slice(0, count);
    for (const row of sides[side]) {
      total += row.size;
      row.total = total;
    }
    most = Math.max(most, total);
  }
  for (const row of [...sides.ask, ...sides.bid]) row.share = row.total / most;
  const [bestAsk, bestBid] = [levels(book, "ask")[0]?.price, levels(book, "bid")[0]?.price];
  const spread = bestAsk > 0 && bestBid > 0 ? Number((bestAsk - bestBid).toPrecision(12)) : null;
  return { asks: sides.ask, bids: sides.bid, spread, spreadRate: spread === null ? null : spread / ((bestAsk + bestBid) / 2) };
}
