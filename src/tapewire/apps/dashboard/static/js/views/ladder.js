// The order book of one market: a ladder with the sums as bars, grouped as the reader likes.

import { el, setAttribute, setShown, setText } from "../dom.js";
import { decimalsOf, percent, price, size } from "../logic/format.js";
import { ladder, steps, tickOf } from "../logic/ladder.js";

const ROWS = 15;
const FEW_ROWS = 8;
const NARROW = "(max-width: 719px)";

export class Ladder {
  constructor(app) {
    this.app = app;
    const { say } = app;
    this.step = 0;
    this.shownVersion = -1;
    this.count = matchMedia(NARROW).matches ? FEW_ROWS : ROWS;
    this.choice = el("select", { id: "group", on: { change: () => this.choose() } }, el("option", { value: "0", text: say("noGroup") }));
    this.spread = el("div", { class: "spread dim", id: "spread" });
    this.asks = Array.from({ length: this.count }, () => this.makeRow("ask"));
    this.bids = Array.from({ length: this.count }, () => this.makeRow("bid"));
    const head = ["price", "size", "total"].map((word) => el("span", { role: "columnheader", class: "figure", text: say(word) }));
    const side = (name, rows) => el("div", { role: "rowgroup", class: name, "aria-label": say(name) }, ...rows.map(({ element }) => element));
    this.table = el("div", { class: "ladder", role: "table", "aria-label": say("orderbook"), hidden: true },
      el("div", { role: "row", class: "rung head" }, ...head),
      side("asks", [...this.asks].reverse()), this.spread, side("bids", this.bids));
    this.empty = el("p", { class: "empty", text: say("noBook") });
    this.element = el("section", { class: "panel book", "aria-labelledby": "book-title" },
      el("div", { class: "panel-head" }, el("h2", { id: "book-title", text: say("orderbook") }),
        el("label", { class: "field" }, el("span", { text: say("group") }), this.choice)),
      this.table, this.empty);
  }

  makeRow(side) {
    const row = { price: el("span", { role: "cell", class: `figure ${side}-price` }), size: el("span", { role: "cell", class: "figure" }) };
    row.total = el("span", { role: "cell", class: "figure dim" });
    row.bar = el("span", { class: `depth ${side}-depth`, "aria-hidden": "true" });
    row.element = el("div", { role: "row", class: "rung" }, row.bar, row.price, row.size, row.total);
    return row;
  }

  choose() {
    this.step = Number(this.choice.value);
    this.shownVersion = -1;
    this.app.painter.wake();
  }

  paint(focus) {
    if (focus.bookVersion === this.shownVersion || focus.book === null) return;
    this.shownVersion = focus.bookVersion;
    if (this.choice.options.length === 1) this.offer(tickOf(focus.book));
    const shown = ladder(focus.book, this.step, this.count);
    const { language } = this.app.settings;
    const some = [...shown.asks, ...shown.bids];
    const decimals = this.step > 0 ? decimalsOf(this.step) : some.reduce((most, row) => Math.max(most, decimalsOf(row.price)), this.decimals ?? 0);
    if (this.step === 0) this.decimals = decimals;
    this.fill(this.asks, shown.asks, decimals);
    this.fill(this.bids, shown.bids, decimals);
    const rate = percent(shown.spreadRate, language, 3).replace("+", "");
    const spread = shown.spread === null ? "" : this.app.say("spread", { spread: price(shown.spread, decimalsOf(shown.spread), language), rate });
    setText(this.spread, spread);
    setShown(this.table, some.length > 0);
    setShown(this.empty, some.length === 0);
  }

  offer(tick) {
    const { language } = this.app.settings;
    this.choice.append(...steps(tick).map((step) => el("option", { value: step, text: price(step, decimalsOf(step), language) })));
  }

  fill(rows, levels, decimals) {
    const { language } = this.app.settings;
    rows.forEach((row, place) => {
      const level = levels[place];
      setAttribute(row.element, "data-empty", level ? null : "true");
      setText(row.price, level ? price(level.price, decimals, language) : "");
      setText(row.size, level ? size(level.size, language) : "");
      setText(row.total, level ? size(level.total, language) : "");
      row.bar.style.transform = `scaleX(${level ? level.share.toFixed(4) : 0})`;
    });
  }
}
