// All markets as a table: search, filter, sort, favourites; prices flash when they move.

import { el, isCalm, setAttribute, setShown, setText, svg, wayOf } from "../dom.js";
import { compact, count, decimalsOf, percent, price } from "../logic/format.js";
import { address } from "../logic/links.js";
import { sparkline } from "../logic/sparkline.js";
import { filters, rows } from "../logic/table.js";
import { List } from "../list.js";

const SORT_EVERY_MS = 2000;
const SPARK = { width: 96, height: 28 };
const FLASH = { duration: 700, easing: "ease-out" };
// Outlives the view: whoever comes back from a market finds the table as it was.
const kept = { query: "", filter: "all", column: "turnover", descending: true, scroll: 0 };

export class MarketsView {
  constructor(app) {
    this.app = app;
    const { say } = app;
    this.search = el("input", { type: "search", id: "search", placeholder: say("search"), "aria-label": say("search"), autocomplete: "off", spellcheck: "false", value: kept.query });
    this.search.addEventListener("input", () => this.change({ query: this.search.value }));
    this.chips = el("div", { class: "chips", role: "group", "aria-label": say("markets") });
    this.tally = el("p", { class: "dim tally", role: "status", "aria-live": "off" });
    this.empty = el("p", { class: "empty", hidden: true });
    this.list = new List({
      label: say("markets"), name: "markets", columns: this.columns(), make: () => this.makeRow(),
      fill: (row, market) => this.fillRow(row, market), describedBy: "keys-hint",
      open: (market) => { location.hash = address("market", market.venue, market.symbol); },
      press: (key, market) => this.press(key, market),
    });
    const hint = el("p", { class: "unseen", id: "keys-hint", text: say("keysHint") });
    this.element = el("section", { class: "markets", "aria-label": say("markets") },
      el("h1", { class: "unseen", text: say("markets") }),
      el("div", { class: "toolbar" }, this.search, this.chips, this.tally), hint, this.list.element, this.empty);
    this.onKey = (event) => this.hotkey(event);
    document.addEventListener("keydown", this.onKey);
    this.sortedAt = 0;
    this.listVersion = -1;
  }

  entered() {
    this.sort();
    this.list.measure();
    this.list.body.scrollTop = kept.scroll;
  }

  leave() {
    kept.scroll = this.list.body.scrollTop;
    document.removeEventListener("keydown", this.onKey);
    this.list.leave();
  }

  columns() {
    const { say } = this.app;
    this.heads = [["symbol", "market"], ["price", "price"], ["change", "change"], ["turnover", "turnoverShort", "turnover"]].map(([column, word, hint]) => {
      const button = el("button", { type: "button", text: say(word), title: hint ? say(hint) : null, on: { click: () => this.sortBy(column) } });
      return { column, button, cell: el("span", { role: "columnheader", class: column }, button) };
    });
    const [symbol, ...figures] = this.heads.map(({ cell }) => cell);
    const star = el("span", { role: "columnheader", class: "star", "aria-label": say("favourites") });
    const trend = el("span", { role: "columnheader", class: "trend", text: say("trend"), title: say("trendHint") });
    return [star, symbol, ...figures, trend];
  }

  sortBy(column) {
    const descending = kept.column === column ? !kept.descending : column !== "symbol";
    this.change({ column, descending });
  }

  change(what) {
    Object.assign(kept, what);
    this.list.body.scrollTop = 0;
    this.sort();
    this.list.paint();
  }

  press(key, market) {
    if (key !== "f" && key !== "F") return false;
    this.favour(market);
    return true;
  }

  favour(market) {
    this.app.favour(market.key);
    this.sort();
    this.list.paint();
  }

  hotkey(event) {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    this.search.focus();
  }

  sort() {
    const { store, settings, say } = this.app;
    this.sortedAt = Date.now();
    const all = [...store.markets.values()];
    if (this.listVersion !== store.listVersion) this.offer(all);
    this.favourites = new Set(settings.favourites);
    const shown = rows(all, kept, this.favourites);
    this.list.show(shown);
    setText(this.tally, all.length ? say("shown", { count: count(shown.length, settings.language), all: count(all.length, settings.language) }) : say("loading"));
    setShown(this.empty, shown.length === 0 && all.length > 0);
    setText(this.empty, say(kept.filter === "favourites" && !kept.query ? "noFavourites" : "noMarkets"));
    for (const { column, cell } of this.heads) {
      setAttribute(cell, "aria-sort", kept.column !== column ? "none" : kept.descending ? "descending" : "ascending");
    }
    for (const chip of this.chips.children) setAttribute(chip, "aria-pressed", chip.dataset.filter === kept.filter);
  }

  offer(all) {
    this.listVersion = this.app.store.listVersion;
    const { say, settings } = this.app;
    const several = new Set(all.map(({ venue }) => venue)).size > 1;
    const chip = (filter, text) => el("button", { type: "button", class: "chip", data: { filter }, text, on: { click: () => this.change({ filter }) } });
    const offered = filters(all).slice(0, 8);
    this.chips.replaceChildren(chip("all", say("all")), chip("favourites", `★ ${say("favourites")}`),
      ...offered.map(({ filter, venue, quote, count: many }) => chip(filter, `${several ? `${venue} ` : ""}${quote} ${count(many, settings.language)}`)));
  }

  makeRow() {
    const star = el("button", { type: "button", class: "star-button", tabindex: "-1" });
    const row = {
      star,
      link: el("a", { tabindex: "-1", class: "code" }),
      name: el("span", { class: "name dim" }),
      price: el("span", { class: "figure" }),
      change: el("span", { class: "figure" }),
      turnover: el("span", { class: "figure dim" }),
      line: svg("polyline", { fill: "none" }),
      flash: el("span", { class: "flash", "aria-hidden": "true" }),
    };
    star.addEventListener("click", () => this.favour(row.market));
    const cell = (name, ...inside) => el("span", { role: "gridcell", class: name }, ...inside);
    const trend = svg("svg", { viewBox: `0 0 ${SPARK.width} ${SPARK.height}`, preserveAspectRatio: "none", "aria-hidden": "true" }, row.line);
    row.element = el("div", {}, cell("star", star), cell("symbol", row.link, row.name), cell("price", el("span", { class: "quote" }, row.flash, row.price)),
      cell("change", row.change), cell("turnover", row.turnover), cell("trend", trend));
    return row;
  }

  fillRow(row, market) {
    if (row.market !== market || row.listVersion !== this.listVersion) this.turnTo(row, market);
    this.fillStar(row, market);
    if (row.timestamp !== market.timestamp || row.moves !== market.moves) this.fillFigures(row, market);
    if (row.trendVersion !== market.trend.version) {
      row.trendVersion = market.trend.version;
      row.line.setAttribute("points", sparkline(market.trend.values, SPARK.width, SPARK.height));
    }
  }

  turnTo(row, market) {
    Object.assign(row, { market, listVersion: this.listVersion, timestamp: undefined, moves: undefined, trendVersion: -1, favourite: null });
    row.flight?.cancel();
    setText(row.link, market.symbol);
    row.link.href = address("market", market.venue, market.symbol);
    const name = this.app.settings.language === "ko" ? market.localName || market.name : market.name;
    setText(row.name, this.app.store.venues.length > 1 ? [name, market.venue].filter(Boolean).join(" · ") : name);
    setAttribute(row.link, "data-warning", market.warning ? this.app.say("warning") : null);
  }

  fillStar(row, market) {
    const favourite = this.favourites.has(market.key);
    if (row.favourite === favourite) return;
    row.favourite = favourite;
    setText(row.star, favourite ? "★" : "☆");
    row.star.setAttribute("aria-pressed", favourite);
    row.star.setAttribute("aria-label", this.app.say(favourite ? "favouriteDrop" : "favouriteAdd", { symbol: market.symbol }));
  }

  fillFigures(row, market) {
    const { language } = this.app.settings;
    const fresh = row.moves === undefined;
    if (market.price !== null) market.decimals = Math.max(market.decimals, decimalsOf(market.price));
    if (!fresh && row.moves !== market.moves) this.flash(row, market.direction);
    Object.assign(row, { timestamp: market.timestamp, moves: market.moves });
    setText(row.price, price(market.price, market.decimals, language));
    setText(row.change, percent(market.change, language));
    setAttribute(row.change, "data-way", wayOf(market.change));
    setAttribute(row.line, "data-way", wayOf(market.change));
    setText(row.turnover, market.turnover == null ? "–" : `${compact(market.turnover, language)} ${market.quote}`);
  }

  flash(row, direction) {
    if (isCalm() || row.flight?.playState === "running") return;
    row.flash.dataset.way = direction > 0 ? "up" : "down";
    row.flight = row.flash.animate([{ opacity: 0.35 }, { opacity: 0 }], FLASH);
  }

  met() {
    this.sort();
  }

  paint() {
    if (this.listVersion !== this.app.store.listVersion) this.sort();
    this.list.paint();
  }

  slow(now) {
    if (now - this.sortedAt >= SORT_EVERY_MS && !this.list.body.matches(":hover")) this.sort();
  }
}
