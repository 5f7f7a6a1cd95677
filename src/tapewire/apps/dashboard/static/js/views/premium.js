// What coins cost more in won than in dollars.

import { el, setAttribute, setShown, setText, wayOf } from "../dom.js";
import { decimalsOf, percent, price } from "../logic/format.js";
import { address } from "../logic/links.js";
import { isServed, premium, premiums, tetherPrice } from "../logic/premium.js";
import { List } from "../list.js";

const SORT_EVERY_MS = 2000;
const FULL_BAR = 0.1;

export class PremiumView {
  constructor(app) {
    this.app = app;
    const { say } = app;
    this.input = el("input", { type: "number", min: "0", step: "any", inputmode: "decimal", id: "rate", value: app.settings.rate ?? "" });
    this.input.addEventListener("input", () => this.enter());
    this.source = el("span", { class: "dim", id: "rate-source" });
    this.empty = el("p", { class: "empty", hidden: true });
    const head = (name, word) => el("span", { role: "columnheader", class: name, text: say(word) });
    this.list = new List({
      label: say("premium"), name: "premium", make: () => this.makeRow(), fill: (row, item) => this.fillRow(row, item),
      columns: [head("symbol", "coin"), head("won", "inWon"), head("dollar", "inDollars"), head("change", "premium")],
      open: ({ won }) => { location.hash = address("market", won.venue, won.symbol); },
    });
    this.element = el("section", { class: "premium", "aria-label": say("premium") },
      el("h1", { text: say("premium") }), el("p", { class: "dim", text: say("premiumHint") }),
      el("div", { class: "toolbar" }, el("label", { class: "field" }, el("span", { text: say("rate") }), this.input), this.source),
      this.list.element, this.empty);
    this.sortedAt = 0;
  }

  entered() {
    this.sort();
    this.list.measure();
  }

  leave() {
    this.list.leave();
  }

  enter() {
    const value = Number(this.input.value);
    this.app.settings.rate = Number.isFinite(value) && value > 0 ? value : null;
    this.app.keep();
    this.sort();
    this.list.paint();
  }

  rate() {
    const own = this.app.settings.rate;
    return own ?? tetherPrice(this.app.store.markets.values());
  }

  sort() {
    const { store, say, settings } = this.app;
    this.sortedAt = Date.now();
    const rate = this.rate();
    this.present = rate;
    const served = isServed(store.venues.map(({ name }) => name));
    const items = served ? premiums([...store.markets.values()], rate) : [];
    this.list.show(items);
    const shown = rate === null ? "" : price(rate, Math.min(2, decimalsOf(rate)), settings.language);
    this.input.placeholder = shown;
    setText(this.source, rate === null ? say("rateMissing") : settings.rate !== null ? say("rateOwn") : say("rateFrom", { symbol: "KRW-USDT", venue: "upbit" }));
    setShown(this.empty, items.length === 0);
    setShown(this.list.element, items.length > 0);
    setText(this.empty, say(store.venues.length === 0 ? "loading" : served ? "premiumNone" : "premiumNeeds"));
  }

  makeRow() {
    const row = { link: el("a", { tabindex: "-1", class: "code" }), won: el("span"), dollar: el("span"), unit: el("span", { class: "dim unit" }), change: el("span"), bar: el("span", { class: "bar", "aria-hidden": "true" }) };
    const cell = (name, ...inside) => el("span", { role: "gridcell", class: name }, ...inside);
    row.element = el("div", {}, cell("symbol", row.link), cell("won figure", row.won), cell("dollar figure", row.dollar, row.unit), cell("change figure", row.bar, row.change));
    return row;
  }

  fillRow(row, item) {
    const { language } = this.app.settings;
    const { won, dollar } = item;
    setText(row.link, item.base);
    row.link.href = address("market", won.venue, won.symbol);
    for (const market of [won, dollar]) market.decimals = Math.max(market.decimals, decimalsOf(market.price));
    setText(row.won, price(won.price, won.decimals, language));
    setText(row.dollar, price(dollar.price, dollar.decimals, language));
    setText(row.unit, ` ${dollar.quote}`);
    const over = premium(item, this.present);
    setText(row.change, percent(over, language));
    setAttribute(row.change, "data-way", wayOf(over));
    setAttribute(row.bar, "data-way", wayOf(over));
    row.bar.style.transform = `scaleX(${Math.min(1, Math.abs(over ?? 0) / FULL_BAR)})`;
  }

  met() {
    this.sort();
  }

  paint() {
    this.list.paint();
  }

  slow(now) {
    if (now - this.sortedAt >= SORT_EVERY_MS && !this.list.body.matches(":hover")) this.sort();
  }
}
