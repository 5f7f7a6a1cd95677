// The gap ledger: every interruption of every stream, the newest first.

import { el, setAttribute, setShown, setText } from "../dom.js";
import { count, span, stamp } from "../logic/format.js";
import { streamName } from "../logic/story.js";
import { List } from "../list.js";

// Without a prototype: what is looked up in it comes from outside, and may be "constructor".
const WORDS = { __proto__: null, open: "gapOpen", filling: "gapFilling", filled: "gapFilled", unfilled: "gapUnfilled", nothing_missed: "gapNothing", full_state: "gapFull" };
const TONES = { __proto__: null, open: "bad", filling: "busy", unfilled: "bad" };

export class GapLedger {
  constructor(app) {
    this.app = app;
    const { say } = app;
    this.tally = el("span", { class: "dim figure", id: "gaps-count" });
    const columns = [["when", "time"], ["stream", "stream"], ["cause", "cause"], ["lasted", "lasted"], ["state", "state"], ["repaired", "repaired"]];
    this.list = new List({
      label: say("gaps"), name: "gaps", make: () => this.makeRow(), fill: (row, gap) => this.fillRow(row, gap),
      columns: columns.map(([name, word]) => el("span", { role: "columnheader", class: name, text: say(word) })),
    });
    this.empty = el("p", { class: "empty", text: say("noGaps") });
    this.element = el("div", {}, this.list.element, this.empty);
  }

  makeRow() {
    const row = Object.fromEntries(["when", "stream", "cause", "lasted", "state", "repaired"].map((name) => [name, el("span", { role: "cell", class: name })]));
    row.element = el("div", {}, ...Object.values(row));
    return row;
  }

  fillRow(row, gap) {
    if (row.gap === gap && gap.to_ns !== null) return;
    row.gap = gap;
    const { say, settings: { language, zone } } = this.app;
    setText(row.when, stamp(gap.from_ns / 1e6, zone));
    setText(row.stream, `${gap.venue} ${streamName(gap.subscription)}`);
    setText(row.cause, gap.cause);
    setText(row.lasted, span(((gap.to_ns ?? Date.now() * 1e6) - gap.from_ns) / 1e9, language));
    setText(row.state, WORDS[gap.state] ? say(WORDS[gap.state]) : gap.state);
    setAttribute(row.state, "data-tone", TONES[gap.state] ?? "good");
    setText(row.repaired, gap.recovered ? count(gap.recovered, language) : "");
  }

  show(gaps) {
    const rows = [...gaps.values()].sort((a, b) => b.from_ns - a.from_ns);
    setText(this.tally, rows.length ? this.app.say("gapsCount", { count: count(rows.length, this.app.settings.language) }) : "");
    setShown(this.empty, rows.length === 0);
    setShown(this.list.element, rows.length > 0);
    this.list.show(rows);
    this.list.measure();
  }
}
