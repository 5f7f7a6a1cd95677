// One market: its figures, candles, order book and trades.

import { Chart } from "../chart.js";
import { el, setAttribute, setShown, setText, wayOf } from "../dom.js";
import { GatewayError } from "../gateway.js";
import { compact, decimalsOf, offsetOf, percent, price, size } from "../logic/format.js";
import { bar, bars } from "../logic/candles.js";
import { keyOf } from "../logic/store.js";
import { unitsOf } from "../logic/wishes.js";
import { Ladder } from "./ladder.js";
import { Tape } from "./tape.js";

const HISTORY = 300;
const USUAL_UNIT = "1m";
// Outlives the view, as long as the venue has it.
const kept = { unit: USUAL_UNIT };

export class MarketView {
  constructor(app, [venue = "", symbol = ""]) {
    Object.assign(this, { app, venue, symbol, chart: null, history: 0 });
    const { say } = app;
    this.ladder = new Ladder(app);
    this.tape = new Tape(app);
    this.price = el("p", { class: "big figure", id: "price" });
    this.change = el("p", { class: "figure", id: "change" });
    this.figures = Object.fromEntries(["high", "low", "volume", "turnover"].map((name) => [name, el("dd", { class: "figure", id: name })]));
    this.title = el("h1", { text: symbol });
    this.names = el("p", { class: "dim" });
    this.star = el("button", { type: "button", class: "star-button", on: { click: () => this.favour() } });
    this.units = el("div", { class: "chips units", role: "group", "aria-label": say("unit") });
    this.place = el("div", { class: "chart", role: "img" });
    this.legend = el("p", { class: "legend figure" });
    this.trouble = el("p", { class: "trouble", role: "status", hidden: true });
    const by = el("a", { class: "dim by", href: "https://www.tradingview.com/", target: "_blank", rel: "noopener noreferrer", text: say("chartBy") });
    const list = el("dl", { class: "figures" }, ...Object.entries(this.figures).map(([name, value]) => el("div", {}, el("dt", { text: say(name) }), value)));
    this.body = el("div", { class: "market-body" },
      el("section", { class: "panel candles", "aria-labelledby": "chart-title" },
        el("div", { class: "panel-head" }, el("h2", { id: "chart-title", text: say("chart") }), this.units, by), this.legend, this.trouble, this.place),
      this.ladder.element, this.tape.element);
    this.missing = el("p", { class: "empty", hidden: true });
    this.element = el("section", { class: "market", "aria-label": symbol },
      el("div", { class: "market-head" },
        el("div", { class: "market-name" }, el("a", { class: "back", href: "#/markets", "aria-label": say("back"), text: "←" }), this.star, el("div", {}, this.title, this.names)),
        el("div", { class: "market-price" }, this.price, this.change), list),
      this.missing, this.body);
  }

  entered() {
    this.met();
    this.showStar();
  }

  /** What is served is known, or known anew. */
  met() {
    const known = this.app.store.markets.get(keyOf(this.venue, this.symbol));
    const venues = this.app.store.venues;
    setShown(this.missing, venues.length > 0 && !known);
    setText(this.missing, this.app.say("unknownMarket", { symbol: this.symbol, venue: this.venue }));
    setShown(this.body, Boolean(known));
    this.known = known;
    if (!known) return;
    setText(this.names, [this.app.settings.language === "ko" ? known.localName || known.name : known.name, this.venue].filter(Boolean).join(" · "));
    this.offer(unitsOf(venues.find(({ name }) => name === this.venue)));
    this.turnTo(this.units.querySelector(`[data-unit="${CSS.escape(kept.unit)}"]`) ? kept.unit : USUAL_UNIT);
  }

  offer(units) {
    const chip = (unit) => el("button", { type: "button", class: "chip", data: { unit }, text: unit, on: { click: () => this.choose(unit) } });
    this.units.replaceChildren(...units.map(chip));
  }

  choose(unit) {
    kept.unit = unit;
    this.turnTo(unit);
  }

  /** Candles of this unit from now on; trades and book go on. */
  turnTo(unit) {
    const { store, gateway } = this.app;
    const before = store.focus;
    this.focus = store.look(this.venue, this.symbol, unit);
    if (before?.venue === this.venue && before?.symbol === this.symbol) {
      const { book, trades, seen } = before;
      Object.assign(this.focus, { book, trades, seen, bookVersion: before.bookVersion, tradesVersion: before.tradesVersion });
    }
    for (const chip of this.units.children) setAttribute(chip, "aria-pressed", chip.dataset.unit === unit);
    setAttribute(this.place, "aria-label", this.app.say("chartOf", { symbol: this.symbol, unit }));
    this.chart?.remove();
    this.chart = new Chart(this.place, this.app.settings.language);
    this.shownCandles = -1;
    this.isWhole = false;
    gateway.lookAt({ venue: this.venue, symbol: this.symbol, unit });
    this.load(this.focus);
  }

  async load(focus) {
    const { gateway, store } = this.app;
    const ask = async (path, parameters, take, what) => {
      try {
        take(await gateway.ask(path, parameters));
        return "";
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        return this.app.say("failed", { what: this.app.say(what), message: error.message });
      }
    };
    const symbol = encodeURIComponent(this.symbol);
    const hear = (events) => events.filter(() => store.focus === focus).forEach((event) => store.hear(event));
    const older = ({ candles }) => candles.filter((one) => one.candle_date_time_utc !== undefined).forEach((one) => this.fold(focus, one));
    const said = await Promise.all([
      ask(`v1/candles/${symbol}`, { venue: this.venue, unit: focus.unit, count: HISTORY }, older, "chart"),
      ask(`v1/trades/${symbol}`, { venue: this.venue, count: 60 }, ({ trades }) => hear(trades.reverse()), "trades"),
    ]);
    if (store.focus !== focus) return;
    focus.candlesVersion += 1;
    this.isWhole = false;
    setText(this.trouble, said.filter(Boolean).join(" "));
    setShown(this.trouble, said.some(Boolean));
    this.app.painter.wake();
  }

  /** History never takes the place of what the stream has told. */
  fold(focus, event) {
    const start = Date.parse(`${event.candle_date_time_utc}Z`) / 1000;
    if (!focus.candles.has(start)) focus.candles.set(start, event);
  }

  favour() {
    this.app.favour(keyOf(this.venue, this.symbol));
    this.showStar();
  }

  showStar() {
    const favourite = this.app.isFavourite(keyOf(this.venue, this.symbol));
    setText(this.star, favourite ? "★" : "☆");
    this.star.setAttribute("aria-pressed", favourite);
    this.star.setAttribute("aria-label", this.app.say(favourite ? "favouriteDrop" : "favouriteAdd", { symbol: this.symbol }));
  }

  leave() {
    this.chart?.remove();
    this.chart = null;
    this.app.store.lookAway();
    this.app.gateway.lookAt(null);
  }

  paint() {
    if (!this.known) return;
    this.paintHead(this.known);
    this.ladder.paint(this.focus);
    this.tape.paint(this.focus);
    this.paintChart();
  }

  paintHead(market) {
    const { language } = this.app.settings;
    if (market.price === null || (market.timestamp === this.timestamp && market.moves === this.moves)) return;
    Object.assign(this, { timestamp: market.timestamp, moves: market.moves });
    market.decimals = Math.max(market.decimals, decimalsOf(market.price));
    const shown = price(market.price, market.decimals, language);
    setText(this.price, shown);
    setText(this.change, percent(market.change, language));
    for (const element of [this.price, this.change]) setAttribute(element, "data-way", wayOf(market.change));
    setText(this.figures.high, price(market.high, market.decimals, language));
    setText(this.figures.low, price(market.low, market.decimals, language));
    setText(this.figures.volume, `${size(market.volume, language)} ${market.base}`);
    setText(this.figures.turnover, `${compact(market.turnover, language)} ${market.quote}`);
    document.title = `${shown} ${this.symbol} · tapewire`;
  }

  paintChart() {
    const { focus, chart } = this;
    if (chart === null || focus.candlesVersion === this.shownCandles || focus.candles.size === 0) return;
    this.shownCandles = focus.candlesVersion;
    const shift = offsetOf(this.app.settings.zone);
    const newest = Math.max(focus.lastCandle ?? -Infinity, ...(this.isWhole ? [] : focus.candles.keys()));
    const last = bar(newest, focus.candles.get(newest), shift);
    if (!this.isWhole || last === null || !chart.update(last)) {
      const all = bars(focus.candles, shift);
      chart.show(all, this.decimalsOf(all));
      this.isWhole = true;
    }
    this.describe(focus.candles.get(newest));
  }

  decimalsOf(all) {
    return all.slice(-50).reduce((most, { open, high, low, close }) => Math.max(most, ...[open, high, low, close].map(decimalsOf)), 0);
  }

  describe(candle) {
    const { say, settings } = this.app;
    const decimals = Math.max(this.known.decimals, 0);
    const part = (word, value) => `${say(word)} ${price(value, decimals, settings.language)}`;
    const text = [part("open", candle.opening_price), part("highShort", candle.high_price), part("lowShort", candle.low_price),
      part("close", candle.trade_price), `${say("volumeShort")} ${size(candle.candle_acc_trade_volume, settings.language)}`].join("  ");
    setText(this.legend, text);
  }
}
