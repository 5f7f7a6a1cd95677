// The states of a connection over time, as stretches of a line.

export const MOST_STRETCHES = 400;

/** What was the state from when to when; times in ms, oldest first. */
export class Timeline {
  constructor() {
    this.stretches = [];
  }

  /** The state at a time; the same state again only goes on. An older time than the newest is put at its place's end. */
  mark(state, at) {
    const last = this.stretches.at(-1);
    if (last?.state === state) return;
    this.stretches.push({ state, from: last ? Math.max(at, last.from) : at });
    if (this.stretches.length > MOST_STRETCHES) this.stretches.shift();
  }

  /** Parts of the window that ends now: [{ state, from, to }] with 0 the window's left end and 1 its right one. */
  parts(now, windowMs) {
    const start = now - windowMs;
    return this.stretches
      .map(({ state, from }, place) => ({ state, from, to: this.stretches[place + 1]?.from ?? now }))
      .filter(({ to }) => to > start)
      .map(({ state, from, to }) => ({
        state,
        from: Math.max(0, (from - start) / windowMs),
        to: Math.min(1, (to - start) / windowMs),
      }));
  }
}

const BROKEN = new Set(["disconnected", "reconnecting", "error", "connecting"]);

/** How a state looks: "good", "busy" or "bad". */
export function toneOf(state) {
  if (state === "active") return "good";
  return BROKEN.has(state) ? "bad" : "busy";
}

/** The state that a connection has after one of the feed's events; null: the event says nothing of it. */
export function stateAfter(news) {
  if (news.type === "connecting") return news.attempt > 1 ? "reconnecting" : "connecting";
  if (news.type === "connected") return "subscribing";
  if (news.type === "subscribed" || news.type === "recovered") return "active";
  if (news.type === "disconnected") return news.final ? "disconnected" : "reconnecting";
  return null;
}
