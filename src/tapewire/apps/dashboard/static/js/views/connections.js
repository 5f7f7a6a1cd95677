// Each upstream connection as a card, with its states over time as a line.

import { el, setAttribute, setShown, setText, svg } from "../dom.js";
import { count, milliseconds, percent, span } from "../logic/format.js";
import { toneOf } from "../logic/timeline.js";

const MINUTES = 10;
const FIGURES = ["uptime", "rateShort", "latency", "streams", "reconnects", "openGaps"];
// Without a prototype: what is looked up in it comes from outside, and may be "constructor".
const WORDS = {
  __proto__: null,
  active: "stateActive", subscribing: "stateSubscribing", connected: "stateConnected", connecting: "stateConnecting",
  reconnecting: "stateReconnecting", disconnected: "stateDisconnected", error: "stateError",
};

export class ConnectionCards {
  constructor(app) {
    this.app = app;
    this.cards = new Map();
    this.list = el("ul", { class: "cards" });
    this.empty = el("p", { class: "empty", text: app.say("noConnections") });
    this.element = el("div", {}, this.list, this.empty);
  }

  show(connections, now) {
    const names = new Set(connections.map(({ name }) => name));
    for (const [name, card] of this.cards) {
      if (names.has(name)) continue;
      card.element.remove();
      this.cards.delete(name);
    }
    for (const one of connections) {
      if (!this.cards.has(one.name)) this.add(one.name);
      this.fill(this.cards.get(one.name), one, now);
    }
    setShown(this.empty, connections.length === 0);
  }

  add(name) {
    const { say } = this.app;
    const figures = Object.fromEntries(FIGURES.map((key) => [key, el("dd", { class: "figure" })]));
    const card = { figures, state: el("span", { class: "pill" }), title: el("h3", { text: name }), url: el("p", { class: "dim url" }) };
    card.error = el("p", { class: "dim error" });
    card.line = svg("svg", { class: "timeline", viewBox: "0 0 1000 10", preserveAspectRatio: "none", role: "img" });
    card.element = el("li", { class: "card", data: { name } }, el("div", { class: "card-head" }, card.title, card.state), card.url, card.line,
      el("p", { class: "dim window", text: say("lastMinutes", { minutes: MINUTES }) }),
      el("dl", { class: "figures" }, ...FIGURES.map((key) => el("div", {}, el("dt", { text: say(key) }), figures[key]))), card.error);
    this.cards.set(name, card);
    this.list.append(card.element);
  }

  fill(card, one, now) {
    const { say, settings: { language } } = this.app;
    const state = WORDS[one.state] ? say(WORDS[one.state]) : one.state;
    setText(card.state, state);
    setAttribute(card.state, "data-tone", toneOf(one.state));
    setText(card.url, `${one.side} · ${one.url}`);
    const latency = one.latency_ms ? `${milliseconds(one.latency_ms.p50, language)} / ${milliseconds(one.latency_ms.p99, language)}` : "–";
    const values = {
      uptime: span(one.uptime_seconds, language), rateShort: count(one.messages_per_second, language), latency,
      streams: count(one.subscriptions, language), reconnects: count(one.reconnects, language), openGaps: count(one.open_gaps, language),
    };
    for (const key of FIGURES) setText(card.figures[key], values[key]);
    setText(card.error, one.last_error ? `${say("lastError")}: ${one.last_error}` : "");
    this.draw(card, one.name, state, now);
  }

  draw(card, name, state, now) {
    const parts = this.app.timelineOf(name).parts(now, MINUTES * 60_000);
    const shapes = parts.map(({ state: was, from, to }) => svg("rect", {
      x: (from * 1000).toFixed(1), width: Math.max(0.5, (to - from) * 1000).toFixed(1), y: 0, height: 10, "data-tone": toneOf(was),
    }));
    card.line.replaceChildren(...shapes);
    const good = parts.filter(({ state: was }) => toneOf(was) === "good").reduce((sum, { from, to }) => sum + to - from, 0);
    const known = parts.reduce((sum, { from, to }) => sum + to - from, 0);
    const share = percent(known > 0 ? good / known : null, this.app.settings.language, 0).replace("+", "");
    setAttribute(card.line, "aria-label", this.app.say("timelineOf", { name, state, minutes: MINUTES, share }));
  }
}
