// How the feed is: connections over time, rates, latencies, gaps, limits, news.

import { el, setAttribute, setShown, setText } from "../dom.js";
import { count, milliseconds, percent, span } from "../logic/format.js";
import { streamName } from "../logic/story.js";
import { LatencyPlot, RatePlot } from "../plots.js";
import { ConnectionCards } from "./connections.js";
import { GapLedger } from "./gaps.js";
import { NewsList } from "./news.js";

// Without a prototype: what is looked up in it comes from outside, and may be "constructor".
const STATUS_WORDS = { __proto__: null, healthy: "statusHealthy", degraded: "statusDegraded", unhealthy: "statusUnhealthy" };
// Kinds that come all the time: the others say nothing by their silence.
const STEADY = new Set(["ticker", "orderbook", "candle"]);
const TONES = { __proto__: null, healthy: "good", degraded: "busy", unhealthy: "bad" };

export class HealthView {
  constructor(app) {
    this.app = app;
    const { say } = app;
    this.status = el("p", { class: "status", id: "health-status" });
    this.reasons = el("ul", { class: "reasons" });
    this.facts = el("p", { class: "dim" });
    this.cards = new ConnectionCards(app);
    this.gaps = new GapLedger(app);
    this.news = new NewsList(app);
    this.ratePlace = el("div", { class: "plot", role: "img", "aria-label": say("messagesPerSecond") });
    this.rateNow = el("span", { class: "figure", id: "rate-now" });
    this.latencyPlace = el("div", { class: "plot", role: "img", "aria-label": say("latency") });
    this.latencyText = el("p", { class: "dim", id: "latency-text" });
    this.limits = el("ul", { class: "limits" });
    this.noLimits = el("p", { class: "empty", text: say("noLimits") });
    const panel = (name, word, beside, ...inside) => el("section", { class: `panel ${name}`, "aria-labelledby": `${name}-title` },
      el("div", { class: "panel-head" }, el("h2", { id: `${name}-title`, text: say(word) }), beside), ...inside);
    this.element = el("section", { class: "health", "aria-label": say("health") },
      el("div", { class: "health-head" }, el("h1", { text: say("health") }), this.status, this.facts), this.reasons,
      el("div", { class: "health-body" },
        panel("connections", "connections", null, this.cards.element),
        panel("rates", "messagesPerSecond", this.rateNow, this.ratePlace),
        panel("latency", "latency", null, this.latencyText, this.latencyPlace),
        panel("ledger", "gaps", this.gaps.tally, this.gaps.element),
        panel("limits-left", "limits", null, this.limits, this.noLimits),
        panel("newest", "news", null, this.news.element)));
  }

  entered() {
    const { settings } = this.app;
    this.ratePlot = new RatePlot(this.ratePlace, settings.zone);
    this.latencyPlot = new LatencyPlot(this.latencyPlace, settings.language);
    this.gaps.list.measure();
    if (this.app.gateway.link.isUp()) this.app.poll();
  }

  leave() {
    this.ratePlot.remove();
    this.latencyPlot.remove();
    this.gaps.list.leave();
  }

  paint() {
    const { store } = this.app;
    if (store.newsVersion === this.shownNews) return;
    this.shownNews = store.newsVersion;
    this.gaps.show(store.gaps);
    this.news.show(store.news, store.announcements);
  }

  /** What ages, or is asked now and then: once a second. */
  slow(now) {
    if (!this.ratePlot) return;
    this.cards.show(this.app.connections, now);
    this.showStatus();
    this.showRates(now);
    this.showLatency();
    this.showLimits();
  }

  showStatus() {
    const { say, settings, health, clients } = this.app;
    setText(this.status, say(STATUS_WORDS[health?.status] ?? "statusUnknown"));
    setAttribute(this.status, "data-tone", TONES[health?.status] ?? "busy");
    const oldest = (health?.streams ?? []).filter(({ type, age_seconds: age }) => STEADY.has(type) && age !== null).sort((a, b) => b.age_seconds - a.age_seconds)[0];
    const facts = [];
    if (health && health.reasons.length === 0) facts.push(say("nothingWrong"));
    if (oldest) facts.push(say("oldestData", { stream: streamName({ ...oldest, kind: oldest.type }), span: span(oldest.age_seconds, settings.language) }));
    if (clients) facts.push(say("clients", { open: count(clients.open, settings.language), most: count(clients.most, settings.language) }));
    setText(this.facts, facts.join(" · "));
    const texts = (health?.reasons ?? []).map(({ connection, text }) => (connection ? `${connection}: ${text}` : text));
    if (texts.join("\n") === this.shownReasons) return;
    this.shownReasons = texts.join("\n");
    this.reasons.replaceChildren(...texts.map((text) => el("li", { text })));
  }

  /** All connections together: their times are the same, those of the polls. */
  showRates(now) {
    const { rates, settings, say } = this.app;
    const sums = new Map();
    for (const { times, rates: values } of rates.values()) {
      times.forEach((time, place) => sums.set(time, (sums.get(time) ?? 0) + values[place]));
    }
    const times = [...sums.keys()].sort((a, b) => a - b);
    this.ratePlot.show(times, times.map((time) => sums.get(time)), now / 1000);
    setText(this.rateNow, times.length ? say("perSecond", { count: count(sums.get(times.at(-1)), settings.language) }) : "");
  }

  showLatency() {
    const { say, settings: { language }, store: { latency } } = this.app;
    if (latency.version === this.shownLatency) return;
    this.shownLatency = latency.version;
    this.latencyPlot.show(latency.counts);
    const [p50, p99] = [latency.quantile(0.5), latency.quantile(0.99)].map((ms) => milliseconds(ms, language));
    const skew = latency.below > latency.total / 100 ? ` ${say("latencySkew", { share: percent(latency.below / latency.total, language, 0).replace("+", "") })}` : "";
    setText(this.latencyText, latency.total ? say("latencyHint", { p50, p99 }) + skew : say("latencyNone"));
  }

  showLimits() {
    const { limits, say, settings: { language } } = this.app;
    setShown(this.noLimits, limits.length === 0);
    while (this.limits.children.length > limits.length) this.limits.lastChild.remove();
    while (this.limits.children.length < limits.length) {
      this.limits.append(el("li", {}, el("span", { class: "limit-name" }), el("span", { class: "dim figure" }), el("meter", { min: "0" })));
    }
    limits.forEach(({ venue, group, left, count: all, seconds }, place) => {
      const [name, text, meter] = this.limits.children[place].children;
      setText(name, `${venue} ${group}`);
      setText(text, say("limitLeft", { left: count(left, language), count: count(all, language), span: span(seconds, language) }));
      setAttribute(meter, "aria-label", `${venue} ${group}`);
      Object.assign(meter, { max: all, low: all * 0.2, high: all * 0.5, optimum: all, value: left });
    });
  }
}
