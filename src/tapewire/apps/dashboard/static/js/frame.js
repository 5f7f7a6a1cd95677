// What stands around every view: the head with its views and settings, the banner, the voice for screen readers.

import { el, setAttribute, setShown, setText } from "./dom.js";
import { span, stamp } from "./logic/format.js";
import { CHOICES } from "./logic/settings.js";
import { interrupted } from "./logic/story.js";

const VIEWS = ["markets", "premium", "health"];
// Without a prototype: what is looked up in it comes from outside, and may be "constructor".
const STATUS_WORDS = { __proto__: null, healthy: "linkLive", degraded: "feedDegraded", unhealthy: "feedDown" };

export class Frame {
  constructor(app, root) {
    this.app = app;
    this.root = root;
    this.voice = el("p", { class: "unseen", role: "status", "aria-live": "polite", id: "voice" });
    this.main = el("main", { id: "content", tabindex: "-1" });
    this.wasDown = false;
    this.build();
  }

  /** Everything anew, as after a change of language. */
  build() {
    const { app } = this;
    const say = app.say;
    document.title = say("title");
    this.links = VIEWS.map((name) => el("a", { href: `#/${name}`, data: { view: name }, text: say(name) }));
    this.pill = el("span", { class: "pill", id: "pill" });
    this.banner = el("div", { class: "banner", role: "alert", hidden: true });
    this.bannerText = el("p", {});
    this.retry = el("button", { type: "button", text: say("retryNow"), on: { click: () => app.gateway.hurry() } });
    this.token = el("input", { type: "password", autocomplete: "off", "aria-label": say("token"), placeholder: say("token") });
    this.lock = el("form", { hidden: true, on: { submit: (event) => this.unlock(event) } }, this.token, el("button", { text: say("enter") }));
    this.banner.append(this.bannerText, this.retry, this.lock);
    const skip = { class: "skip", href: "#content", text: say("skip"), on: { click: (event) => this.skip(event) } };
    this.root.replaceChildren(
      el("a", skip),
      el("header", { class: "top" },
        el("a", { class: "brand", href: "#/markets", "aria-label": say("title") }, el("span", { class: "mark", "aria-hidden": "true" }), el("span", { text: "tapewire" })),
        el("nav", { "aria-label": say("views") }, ...this.links),
        el("div", { class: "right" }, this.pill, this.settings())),
      this.banner, this.main, this.voice);
  }

  unlock(event) {
    event.preventDefault();
    this.app.gateway.unlock(this.token.value.trim());
    this.token.value = "";
  }

  skip(event) {
    event.preventDefault();
    this.main.focus();
  }

  settings() {
    const { say } = this.app;
    const labels = {
      language: { en: "English", ko: "한국어" },
      zone: { UTC: "UTC", KST: "KST" },
      theme: { auto: say("themeAuto"), light: say("themeLight"), dark: say("themeDark") },
      colours: { green: say("coloursGreen"), red: say("coloursRed") },
    };
    const fields = Object.entries(CHOICES).map(([name, choices]) => {
      const options = choices.map((value) => el("option", { value, text: labels[name][value], selected: this.app.settings[name] === value }));
      const choose = (event) => this.app.choose(name, event.target.value);
      return el("label", { class: "field" }, el("span", { text: say(name) }), el("select", { name, on: { change: choose } }, ...options));
    });
    this.drawer = el("details", { class: "drawer" },
      el("summary", { "aria-label": say("settings"), title: say("settings") }, el("span", { class: "cog", "aria-hidden": "true", text: "⚙" })),
      el("div", { class: "drawer-body" }, ...fields));
    this.drawer.addEventListener("keydown", (event) => event.key === "Escape" && this.drawer.removeAttribute("open"));
    return this.drawer;
  }

  /** Put a view in its place, and the reader's focus with it when it was asked for. */
  hold(view, name, moved) {
    this.main.replaceChildren(view.element);
    for (const link of this.links) setAttribute(link, "aria-current", link.dataset.view === name ? "page" : null);
    if (moved) this.main.focus({ preventScroll: true });
  }

  /** How the link and the feed are, once a second and at each change. */
  paint(now) {
    const { link } = this.app.gateway;
    const broken = link.isUp() ? interrupted(this.app.connections) : [];
    const [tone, word] = this.stand(link, broken);
    setText(this.pill, this.app.say(word));
    setAttribute(this.pill, "data-tone", tone);
    const text = this.trouble(link, broken, now);
    setText(this.bannerText, text);
    setShown(this.banner, text !== "");
    const { locked } = this.app.gateway;
    setShown(this.retry, link.state === "down" && !locked);
    setShown(this.lock, link.state === "down" && locked);
    setAttribute(document.documentElement, "data-old", text === "" ? null : "true");
    this.speak(text !== "");
  }

  stand(link, broken) {
    if (link.state === "connecting") return ["busy", "linkConnecting"];
    if (link.state === "down") return ["bad", "linkDown"];
    if (link.state === "silent") return ["bad", "linkSilent"];
    if (broken.length > 0) return ["bad", "feedDown"];
    const status = this.app.health?.status;
    return [status === "unhealthy" ? "bad" : status === "degraded" ? "busy" : "good", STATUS_WORDS[status] ?? "linkLive"];
  }

  trouble(link, broken, now) {
    const { say, settings } = this.app;
    if (link.state === "down" && this.app.gateway.locked) return say("needsToken");
    if (link.state === "down") return say("bannerDown", { time: stamp(this.app.gateway.lastDataAt ?? link.since, settings.zone) });
    if (link.state === "silent") return say("bannerSilent", { span: span(Math.round((now - link.heardAt) / 5000) * 5, settings.language) });
    return broken.length > 0 ? say("bannerFeed", { venues: broken.map(({ venue }) => venue).join(", ") }) : "";
  }

  speak(isDown) {
    if (this.wasDown && !isDown) this.voice.textContent = this.app.say("backAgain");
    else if (isDown) this.voice.textContent = "";
    this.wasDown = isDown;
  }
}
