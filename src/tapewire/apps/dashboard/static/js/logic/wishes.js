// What the page wants to hear, as messages to the gateway.

const keyOf = (wish) => JSON.stringify([wish.venue, wish.type, wish.symbols, wish.unit ?? null, wish.depth ?? null, wish.level ?? null]);

/** The message that leads from one list of wishes to another; null when they are the same. */
export function difference(before, after) {
  const [had, wanted] = [new Set(before.map(keyOf)), new Set(after.map(keyOf))];
  const message = {};
  const gone = before.filter((wish) => !wanted.has(keyOf(wish)));
  const come = after.filter((wish) => !had.has(keyOf(wish)));
  if (gone.length) message.unsubscribe = gone;
  if (come.length) message.subscribe = come;
  return gone.length || come.length ? message : null;
}

/** What each view hears: tickers of everything, and one market's streams while it is looked at. */
export function wishesOf(venues, focus) {
  const wishes = venues.flatMap(({ name, kinds }) =>
    ["ticker", "announcement"]
      .filter((kind) => kinds.includes(kind))
      .map((kind) => (kind === "ticker" ? { venue: name, type: kind, symbols: ["*"] } : { venue: name, type: kind })),
  );
  if (focus) {
    const { venue, symbol, unit } = focus;
    wishes.push({ venue, type: "trade", symbols: [symbol] }, { venue, type: "orderbook", symbols: [symbol] });
    wishes.push({ venue, type: "candle", symbols: [symbol], unit });
  }
  return wishes;
}

const MOST_STATES_A_SECOND = 1500;

/** Seconds between two states of one market that the page can use: fewer of each, the more markets there are. */
export function intervalFor(markets) {
  return Math.min(0.5, Math.max(0.1, Math.round((markets / MOST_STATES_A_SECOND) * 100) / 100));
}

const WANTED_UNITS = ["1s", "1m", "5m", "15m", "60m", "1H", "240m", "4H"];

/** The units of candles that are offered, of those that the venue has. */
export function unitsOf(venue) {
  return WANTED_UNITS.filter((unit) => (venue?.candle_units ?? []).includes(unit));
}
