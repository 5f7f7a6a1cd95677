// The newest trades of one market.

import { el, setAttribute, setShown, setText } from "../dom.js";
import { clock, decimalsOf, price, size } from "../logic/format.js";

const ROWS = 40;

export class Tape {
  constructor(app) {
    this.app = app;
    const { say } = app;
    this.shownVersion = -1;
    this.decimals = 0;
    const head = ["time", "price", "size"].map((word) => el("span", { role: "columnheader", class: "figure", text: say(word) }));
    this.rows = Array.from({ length: ROWS }, () => this.makeRow());
    this.table = el("div", { class: "tape", role: "table", "aria-label": say("trades"), tabindex: "0", hidden: true },
      el("div", { role: "row", class: "print head" }, ...head), el("div", { role: "rowgroup" }, ...this.rows.map(({ element }) => element)));
    this.empty = el("p", { class: "empty", text: say("noTrades") });
    this.element = el("section", { class: "panel trades", "aria-labelledby": "trades-title" },
      el("div", { class: "panel-head" }, el("h2", { id: "trades-title", text: say("trades") })), this.table, this.empty);
  }

  makeRow() {
    const cell = (name) => el("span", { role: "cell", class: `figure ${name}` });
    const row = { time: cell("dim"), price: cell("trade-price"), size: cell(""), side: el("span", { class: "unseen" }) };
    row.text = el("span", {});
    row.price.append(row.text, row.side);
    row.element = el("div", { role: "row", class: "print", hidden: true }, row.time, row.price, row.size);
    return row;
  }

  paint(focus) {
    if (focus.tradesVersion === this.shownVersion) return;
    this.shownVersion = focus.tradesVersion;
    setShown(this.table, focus.trades.length > 0);
    setShown(this.empty, focus.trades.length === 0);
    this.rows.forEach((row, place) => this.fill(row, focus.trades[place]));
  }

  fill(row, trade) {
    setShown(row.element, trade !== undefined);
    if (trade === undefined || row.trade === trade) return;
    row.trade = trade;
    const { language, zone } = this.app.settings;
    const isBuy = trade.ask_bid === "BID";
    this.decimals = Math.max(this.decimals, decimalsOf(trade.trade_price));
    setText(row.time, clock(trade.trade_timestamp ?? trade.timestamp, zone));
    setText(row.text, price(trade.trade_price, this.decimals, language));
    setText(row.side, ` ${this.app.say(isBuy ? "bought" : "sold")}`);
    setText(row.size, size(trade.trade_volume, language));
    setAttribute(row.price, "data-way", isBuy ? "up" : "down");
  }
}
