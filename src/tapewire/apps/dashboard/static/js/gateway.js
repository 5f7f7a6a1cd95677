// The gateway's doors: its stream, kept alive and resumed, and its answers.

import { Link } from "./logic/link.js";
import { difference, intervalFor, wishesOf } from "./logic/wishes.js";

const ANSWER_MS = 8000;
const DIAL_MS = 10_000;
const COOKIE = "tapewire-token";
const NOT_OF_A_COOKIE = /[^\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]/g;
const EXTRA = new Set(["announcement"]);
// Served only where the operator has a key for it: a refusal is no news.
const OPTIONAL = "optional";

/** What the gateway answered instead of what was asked. */
export class GatewayError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export class Gateway {
  /** hear: { event, news, venues, refused, changed }, called as things happen. */
  constructor(hear, now = () => Date.now(), chance = Math.random) {
    Object.assign(this, { hear, now, chance, link: new Link(), cursor: null, venues: [], focus: null, wishes: [] });
    Object.assign(this, { socket: null, timer: null, markets: 0, locked: false, dials: 0, lastDataAt: null });
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.hurry());
  }

  /** An answer of a door as JSON. Raises GatewayError, with what the gateway says, or why it cannot be reached. */
  async ask(path, parameters = {}, accepted = []) {
    const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined));
    const address = query.size ? `${path}?${query}` : path;
    let response;
    try {
      response = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    } catch (error) {
      throw new GatewayError(error.name === "TimeoutError" ? `no answer within ${ANSWER_MS / 1000} s` : "not reachable", 0);
    }
    const answer = await response.json().catch(() => null);
    if (answer === null) throw new GatewayError(`${response.status} without JSON`, response.status);
    if (!response.ok && !accepted.includes(response.status)) {
      throw new GatewayError(answer.error?.message ?? `status ${response.status}`, response.status);
    }
    this.link.heard(this.now());
    return answer;
  }

  /** Dial, and again whenever the line is lost. */
  dial() {
    clearTimeout(this.timer);
    this.dials += 1;
    const place = new URL("v1/stream", document.baseURI);
    place.protocol = place.protocol.replace("http", "ws");
    const socket = new WebSocket(place);
    this.socket = socket;
    this.timer = setTimeout(() => socket.readyState === WebSocket.CONNECTING && this.drop(socket), DIAL_MS);
    socket.addEventListener("open", () => this.opened(socket));
    socket.addEventListener("message", (message) => socket === this.socket && this.heard(message.data));
    socket.addEventListener("close", () => this.drop(socket));
  }

  async opened(socket) {
    clearTimeout(this.timer);
    socket.wasOpen = true;
    this.locked = false;
    try {
      this.venues = (await this.ask("v1/venues")).venues;
      this.markets = await this.hear.venues(this.venues);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.drop(socket);
      return;
    }
    if (socket !== this.socket) return;
    this.link.opened(this.now());
    this.wishes = [];
    this.wish(this.cursor);
    this.hear.changed();
  }

  drop(socket) {
    if (socket !== this.socket) return;
    this.socket = null;
    clearTimeout(this.timer);
    socket.close();
    if (!socket.wasOpen) this.lookWhy();
    const retryAt = this.link.lost(this.now(), this.chance());
    this.timer = setTimeout(() => this.dial(), retryAt - this.now());
    this.hear.changed();
  }

  /** A browser does not say why a line was refused: a plain question is told. */
  async lookWhy() {
    const { dials } = this;
    let status = 200;
    try {
      await this.ask("v1/venues");
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      ({ status } = error);
    }
    if (dials !== this.dials) return; // what is answered is not this try any more
    this.locked = status === 401;
    if (this.locked) clearTimeout(this.timer); // each try without a token would count as a wrong one
    this.hear.changed();
  }

  /** Show this token from now on; it is forgotten with the browser's session. */
  unlock(token) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${COOKIE}=${token.replace(NOT_OF_A_COOKIE, "")}; Path=/; SameSite=Strict${secure}`;
    this.locked = false;
    this.hurry();
  }

  /** Dial at once if the line is down. */
  hurry() {
    if (this.socket !== null || this.locked) return;
    this.link.hurry(this.now());
    this.dial();
  }

  /** Hear one market's streams from now on; null: no market's. */
  lookAt(focus) {
    this.focus = focus;
    this.wish(null);
  }

  wish(cursor) {
    if (this.socket?.readyState !== WebSocket.OPEN || !this.link.isUp()) return;
    const wanted = wishesOf(this.venues, this.focus);
    const message = difference(this.wishes, wanted) ?? {};
    this.wishes = wanted;
    const extra = (message.subscribe ?? []).filter(({ type }) => EXTRA.has(type));
    const plain = (message.subscribe ?? []).filter(({ type }) => !EXTRA.has(type));
    if (plain.length || message.unsubscribe) {
      this.send({ ...message, subscribe: plain, interval: intervalFor(this.markets), ...(cursor ? { resume: cursor } : {}) });
    }
    for (const one of extra) this.send({ subscribe: [{ ...one, symbols: [""] }], id: OPTIONAL });
  }

  send(message) {
    if (message.subscribe?.length === 0) delete message.subscribe;
    this.socket.send(JSON.stringify(message));
  }

  heard(text) {
    const message = JSON.parse(text);
    const now = this.now();
    this.link.heard(now);
    if (message.cursor) this.cursor = message.cursor;
    if (message.event) {
      this.lastDataAt = now;
      this.hear.event(message.event);
    } else if (message.news) this.hear.news(message.news);
    else if (message.error && message.error.id !== OPTIONAL) this.hear.refused(message.error.message);
    else if (message.answer?.cursor && this.cursor === null) this.cursor = message.answer.cursor;
  }
}
