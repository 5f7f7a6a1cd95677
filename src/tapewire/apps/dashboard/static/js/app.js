// Joins the parts: settings, state, gateway, views.

import { Frame } from "./frame.js";
import { Gateway, GatewayError } from "./gateway.js";
import { Histogram } from "./logic/histogram.js";
import { partsOf } from "./logic/links.js";
import { Rates } from "./logic/rates.js";
import { read } from "./logic/settings.js";
import { Store } from "./logic/store.js";
import { stateAfter, Timeline } from "./logic/timeline.js";
import { say } from "./logic/words.js";
import { Painter } from "./painter.js";
import { HealthView } from "./views/health.js";
import { MarketView } from "./views/market.js";
import { MarketsView } from "./views/markets.js";
import { PremiumView } from "./views/premium.js";

const STORED = "tapewire.settings";
const POLL_S = 2;
// Without a prototype: what is looked up in it stands in the address, and may be "constructor".
const VIEWS = { __proto__: null, markets: MarketsView, market: MarketView, health: HealthView, premium: PremiumView };

class App {
  constructor(root) {
    this.settings = read(localStorage.getItem(STORED), navigator.languages);
    this.say = (key, values) => say(this.settings.language, key, values);
    this.store = new Store();
    this.store.latency = new Histogram();
    Object.assign(this, { connections: [], limits: [], clients: null, health: null, timelines: new Map(), rates: new Map(), seconds: 0 });
    this.dress();
    this.gateway = new Gateway({
      event: (event) => this.hear(() => this.store.hear(event)),
      news: (news) => this.hear(() => this.hearNews(news)),
      venues: (venues) => this.meet(venues),
      refused: (message) => this.hear(() => this.store.hearNews({ type: "rejected", venue: "", connection: "gateway", at_ns: Date.now() * 1e6, name: "", message })),
      changed: () => this.slow(),
    });
    this.painter = new Painter(() => this.paint(), () => this.second());
    this.frame = new Frame(this, root);
    addEventListener("hashchange", () => this.route(true));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.route(false));
    this.route(false);
    this.gateway.dial();
  }

  hear(what) {
    what();
    this.painter.wake();
  }

  hearNews(news) {
    this.store.hearNews(news);
    const state = news.connection ? stateAfter(news) : null;
    if (state !== null) this.timelineOf(news.connection).mark(state, news.at_ns / 1e6);
  }

  timelineOf(name) {
    if (!this.timelines.has(name)) this.timelines.set(name, new Timeline());
    return this.timelines.get(name);
  }

  ratesOf(name) {
    if (!this.rates.has(name)) this.rates.set(name, new Rates());
    return this.rates.get(name);
  }

  /** What is served: asked at each new line, for the gateway may be another one. Answers how many markets there are. */
  async meet(venues) {
    this.store.venues = venues;
    for (const { name } of venues) this.store.list(name, (await this.gateway.ask("v1/markets", { venue: name })).markets);
    const { gaps } = await this.gateway.ask("v1/gaps");
    for (const row of gaps.reverse()) this.store.gap(row);
    this.store.newsVersion += 1;
    this.view.met?.();
    this.painter.wake();
    return this.store.markets.size;
  }

  paint() {
    if (document.visibilityState === "visible") this.view.paint();
  }

  slow() {
    const now = Date.now();
    this.gateway.link.tick(now);
    this.frame?.paint(now);
    this.view?.slow?.(now);
  }

  second() {
    this.seconds += 1;
    this.store.sample();
    if (this.seconds % POLL_S === 0 && this.gateway.link.isUp()) this.poll();
    this.slow();
    this.painter.wake();
  }

  /** Figures that come by no stream. One question at a time: a slow gateway is not asked the more for it. */
  async poll() {
    if (this.polling) return;
    this.polling = true;
    try {
      const [answer, health] = await Promise.all([this.gateway.ask("v1/connections"), this.gateway.ask("health", {}, [503])]);
      this.take(answer, health);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.health = null;
    } finally {
      this.polling = false;
    }
  }

  take({ at_ns: at, connections, limits, clients }, health) {
    Object.assign(this, { connections, limits, clients, health });
    for (const one of connections) {
      const timeline = this.timelineOf(one.name);
      const isNew = timeline.stretches.length === 0;
      timeline.mark(one.state, at / 1e6 - (isNew ? one.uptime_seconds * 1000 : 0));
      this.ratesOf(one.name).tell(at / 1e6, one.messages_received);
    }
    const names = new Set(connections.map(({ name }) => name));
    for (const kept of [this.timelines, this.rates]) for (const name of kept.keys()) if (!names.has(name)) kept.delete(name);
    this.slow();
  }

  /** The view that the address names. */
  route(moved) {
    const [name = "markets", ...parts] = partsOf(location.hash);
    this.view?.leave();
    const View = VIEWS[name] ?? MarketsView;
    this.view = new View(this, parts);
    this.frame.hold(this.view, name === "market" ? "markets" : name, moved);
    this.view.entered?.();
    this.slow();
    this.painter.wake();
  }

  choose(name, value) {
    this.settings[name] = value;
    this.keep();
    this.dress();
    if (["language", "zone", "theme", "colours"].includes(name)) {
      const open = this.frame.drawer.open;
      this.frame.build();
      this.frame.drawer.open = open;
      this.route(false);
      document.querySelector(`select[name="${name}"]`)?.focus();
    }
  }

  keep() {
    localStorage.setItem(STORED, JSON.stringify(this.settings));
  }

  dress() {
    const root = document.documentElement;
    Object.assign(root.dataset, { theme: this.settings.theme, colours: this.settings.colours });
    root.lang = this.settings.language;
  }

  isFavourite(key) {
    return this.settings.favourites.includes(key);
  }

  favour(key) {
    const { favourites } = this.settings;
    this.settings.favourites = favourites.includes(key) ? favourites.filter((one) => one !== key) : [...favourites, key];
    this.keep();
  }
}

new App(document.getElementById("app"));
