// What the page knows: events in, state out. No DOM, no clock, no network; every list has its bound.

import { Trend } from "./trend.js";

export const MOST_TRADES = 200;
export const MOST_NEWS = 300;
export const MOST_GAPS = 5000;

/** Key of one market; a NUL cannot be in a name of either part. */
export const keyOf = (venue, symbol) => `${venue}\u0000${symbol}`;

const newMarket = (venue, symbol) => ({
  key: keyOf(venue, symbol),
  venue,
  symbol,
  base: symbol,
  quote: "",
  name: "",
  localName: "",
  warning: false,
  price: null,
  direction: 0,
  moves: 0,
  change: null,
  high: null,
  low: null,
  turnover: null,
  volume: null,
  timestamp: null,
  decimals: 0,
  trend: new Trend(),
});

const changeOf = (event) => {
  if (event.signed_change_rate != null) return event.signed_change_rate;
  return event.opening_price_24h ? event.trade_price / event.opening_price_24h - 1 : null;
};

// Candles may have their window's beginning as their time, and what REST told or a snapshot holds is older than its way.
const isTimed = (event) =>
  (event.type === "ticker" || event.type === "trade") &&
  event.received_ns > 0 && event.timestamp > 0 && event.stream_type !== "SNAPSHOT" && !event.recovered && !event.polled;

/** State of the page. `heard` counts events; `changed` is what the painter takes away each frame. */
export class Store {
  constructor() {
    this.markets = new Map();
    this.gaps = new Map();
    this.news = [];
    this.announcements = [];
    this.venues = [];
    this.heard = 0;
    this.listVersion = 0;
    this.newsVersion = 0;
    this.latency = null;
    this.focus = null;
    this.hearers = { __proto__: null, ticker: this.ticker, trade: this.trade, orderbook: this.orderbook, candle: this.candle };
    this.hearers.announcement = this.announcement;
  }

  /** The markets of one venue, as the list names them; a market that is there keeps what is known of it. */
  list(venue, rows) {
    const named = new Set(rows.map((row) => keyOf(venue, row.symbol)));
    for (const market of this.markets.values()) {
      if (market.venue === venue && !named.has(market.key)) this.markets.delete(market.key);
    }
    for (const row of rows) {
      const market = this.market(venue, row.symbol);
      Object.assign(market, { base: row.base ?? row.symbol, quote: row.quote ?? "", name: row.name ?? "" });
      market.localName = row.local_name ?? "";
      market.warning = Boolean(row.warning);
    }
    this.listVersion += 1;
  }

  market(venue, symbol) {
    const key = keyOf(venue, symbol);
    let market = this.markets.get(key);
    if (!market) {
      market = newMarket(venue, symbol);
      this.markets.set(key, market);
      this.listVersion += 1;
    }
    return market;
  }

  /** One market event. What is of no kind shown here is counted only. */
  hear(event) {
    this.heard += 1;
    if (this.latency !== null && isTimed(event)) this.latency.add(event.received_ns / 1e6 - event.timestamp);
    const hearer = this.hearers[event.type];
    if (hearer) hearer.call(this, event);
  }

  ticker(event) {
    const market = this.market(event.venue, event.symbol);
    const before = market.price;
    if (event.trade_price == null) return;
    market.price = event.trade_price;
    if (before !== null && before !== market.price) {
      market.direction = market.price > before ? 1 : -1;
      market.moves += 1;
    }
    market.change = changeOf(event);
    market.high = event.high_price_24h ?? event.high_price;
    market.low = event.low_price_24h ?? event.low_price;
    market.turnover = event.acc_trade_price_24h;
    market.volume = event.acc_trade_volume_24h;
    market.timestamp = event.timestamp;
  }

  /** Which market is looked at, and its candles' unit; what was known of another one is dropped. */
  look(venue, symbol, unit) {
    this.focus = { venue, symbol, unit, book: null, trades: [], tradesVersion: 0, bookVersion: 0, candles: new Map() };
    Object.assign(this.focus, { candlesVersion: 0, seen: new Set() });
    return this.focus;
  }

  lookAway() {
    this.focus = null;
  }

  looksAt(event) {
    return this.focus !== null && this.focus.venue === event.venue && this.focus.symbol === event.symbol;
  }

  /** The newest trades first; one that came twice (a resume, a list that overlaps the stream) is shown once. */
  trade(event) {
    if (!this.looksAt(event)) return;
    const { seen, trades } = this.focus;
    if (event.sequential_id != null) {
      if (seen.has(event.sequential_id)) return;
      seen.add(event.sequential_id);
    }
    const time = (trade) => trade.trade_timestamp ?? trade.timestamp ?? 0;
    let place = 0;
    while (place < trades.length && time(trades[place]) > time(event)) place += 1;
    trades.splice(place, 0, event);
    if (trades.length > MOST_TRADES) seen.delete(trades.pop().sequential_id);
    this.focus.tradesVersion += 1;
  }

  orderbook(event) {
    if (!this.looksAt(event)) return;
    this.focus.book = event;
    this.focus.bookVersion += 1;
  }

  candle(event) {
    if (!this.looksAt(event) || event.unit !== this.focus.unit || !event.candle_date_time_utc) return;
    const start = Date.parse(`${event.candle_date_time_utc}Z`) / 1000;
    if (Number.isNaN(start)) return;
    this.focus.candles.set(start, event);
    this.focus.candlesVersion += 1;
    this.focus.lastCandle = start;
  }

  announcement(event) {
    this.announcements = [event, ...this.announcements.filter((one) => one.uuid !== event.uuid)].slice(0, MOST_NEWS);
    this.newsVersion += 1;
  }

  /** One of the feed's own events. A row of the gap ledger that is told again replaces what was told before. */
  hearNews(news) {
    if (news.type === "gap") this.gap(news);
    else this.news = [news, ...this.news].slice(0, MOST_NEWS);
    this.newsVersion += 1;
  }

  gap(row) {
    const { kind, symbol, unit, depth, level, detail } = row.subscription;
    this.gaps.set(JSON.stringify([row.connection, kind, symbol, unit, depth, level, detail, row.from_ns]), row);
    if (this.gaps.size > MOST_GAPS) this.gaps.delete(this.gaps.keys().next().value);
  }

  /** Once a second: a point more of each market's trend. */
  sample() {
    for (const market of this.markets.values()) if (market.price !== null) market.trend.push(market.price);
  }
}
