// What a coin costs more in won than in dollars: Upbit beside OKX.

const STABLE = ["USDT", "USDC", "USD"];

/** Last price of a market that is quoted in won for one tether, null when there is none. */
export function tetherPrice(markets) {
  for (const market of markets) {
    if (market.quote === "KRW" && market.base === "USDT" && market.price !== null) return market.price;
  }
  return null;
}

const isSpot = (market) => market.symbol === `${market.base}-${market.quote}`;

/** Coins that are sold for won at one venue and for a stable dollar at another: [{ base, won, dollar }]. */
export function pairs(markets) {
  const [won, dollar] = [new Map(), new Map()];
  for (const market of markets) {
    if (market.price === null) continue;
    if (market.quote === "KRW") won.set(market.base, market);
    else if (STABLE.includes(market.quote) && isSpot(market)) {
      const known = dollar.get(market.base);
      if (!known || STABLE.indexOf(market.quote) < STABLE.indexOf(known.quote)) dollar.set(market.base, market);
    }
  }
  const both = [...won.keys()].filter((base) => dollar.has(base) && dollar.get(base).venue !== won.get(base).venue);
  return both.map((base) => ({ base, won: won.get(base), dollar: dollar.get(base) }));
}

/** How much dearer it is in won, as a rate; null without an exchange rate. */
export function premium(pair, rate) {
  return rate > 0 && pair.dollar.price > 0 ? pair.won.price / (pair.dollar.price * rate) - 1 : null;
}

/** Rows of the panel, the highest premium first; the coins themselves when no rate is known. */
export function premiums(markets, rate) {
  return pairs(markets)
    .map((pair) => ({ ...pair, premium: premium(pair, rate) }))
    .sort((a, b) => (b.premium ?? 0) - (a.premium ?? 0) || (a.base < b.base ? -1 : 1));
}

/** Are there venues of both sorts at all? */
export function isServed(venues) {
  return venues.some((name) => name.startsWith("upbit")) && venues.some((name) => name.startsWith("ok"));
}
