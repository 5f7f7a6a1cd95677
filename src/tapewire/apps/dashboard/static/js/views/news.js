// What happened to the feed, and what the exchange announced.

import { el, setShown } from "../dom.js";
import { clock } from "../logic/format.js";
import { webAddress } from "../logic/links.js";
import { story } from "../logic/story.js";

const SHOWN = 60;

export class NewsList {
  constructor(app) {
    this.app = app;
    const { say } = app;
    this.list = el("ol", { class: "news", tabindex: "0", "aria-label": say("news") });
    this.empty = el("p", { class: "empty", text: say("noNews") });
    this.notices = el("ul", { class: "news notices", "aria-label": say("announcements") });
    this.noticesTitle = el("h3", { text: say("announcements"), hidden: true });
    this.element = el("div", {}, this.noticesTitle, this.notices, this.list, this.empty);
  }

  show(news, announcements) {
    this.list.replaceChildren(...news.slice(0, SHOWN).map((one) => this.line(one)));
    setShown(this.empty, news.length === 0);
    this.notices.replaceChildren(...announcements.slice(0, SHOWN).map((one) => this.notice(one)));
    setShown(this.noticesTitle, announcements.length > 0);
  }

  line(news) {
    const { key, with: values, tone } = story(news);
    const time = el("time", { class: "dim figure", text: clock(news.at_ns / 1e6, this.app.settings.zone) });
    return el("li", { data: { tone } }, time, el("span", { class: "who", text: news.connection || news.venue }), el("span", { text: this.app.say(key, values) }));
  }

  notice({ title, url, category, listed_at: listed }) {
    const address = webAddress(url);
    const text = [category ? `[${category}]` : "", title ?? ""].filter(Boolean).join(" ");
    const words = address ? el("a", { href: address, target: "_blank", rel: "noopener noreferrer", text }) : el("span", { text });
    return el("li", {}, el("time", { class: "dim figure", text: clock(Date.parse(listed ?? ""), this.app.settings.zone) }), words);
  }
}
