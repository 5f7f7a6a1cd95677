// The feed's own events as sentences.

const streamsOf = (news) => (news.subscriptions ?? []).map(streamName);

/** "trade KRW-BTC", "candle.1m KRW-BTC". */
export function streamName({ kind, symbol, unit, depth }) {
  return `${kind}${unit ? `.${unit}` : ""} ${symbol}${depth ? `.${depth}` : ""}`.trim();
}

const someOf = (streams) => (streams.length > 3 ? `${streams.slice(0, 3).join(", ")} … (${streams.length})` : streams.join(", "));

/** The word's key, what is put into it, and its tone: "good", "bad" or "plain". */
export function story(news) {
  const streams = someOf(streamsOf(news));
  switch (news.type) {
    case "connecting":
      return { key: "newsConnecting", with: { attempt: news.attempt }, tone: "plain" };
    case "connected":
      return { key: "newsConnected", with: {}, tone: "good" };
    case "disconnected":
      return { key: "newsDisconnected", with: { cause: news.loss?.cause ?? "", reason: news.loss?.reason ?? "" }, tone: "bad" };
    case "subscribed":
      return { key: "newsSubscribed", with: { streams }, tone: "plain" };
    case "recovered":
      return { key: "newsRecovered", with: { seconds: news.seconds.toFixed(1), streams }, tone: "good" };
    case "stale": {
      const stream = news.subscription ? streamName(news.subscription) : "";
      return { key: news.over ? "newsStaleOver" : "newsStale", with: { stream, cause: news.cause ?? "" }, tone: news.over ? "good" : "bad" };
    }
    case "rejected":
      return { key: "newsRejected", with: { name: news.name, message: news.message }, tone: "bad" };
    case "lagged":
      return { key: "newsLagged", with: { subscriber: news.subscriber, dropped: news.dropped }, tone: "bad" };
    case "polling":
      return { key: news.over ? "newsPollingOver" : "newsPolling", with: { streams }, tone: news.over ? "good" : "bad" };
    default:
      return { key: "newsOther", with: { type: news.type }, tone: "plain" };
  }
}

/** Venues whose feed is interrupted, by what their connections say: [{ venue, since }] (ms; null: not known). */
export function interrupted(connections) {
  const venues = new Map();
  for (const one of connections) {
    const known = venues.get(one.venue) ?? { venue: one.venue, up: 0, down: 0, since: null };
    if (["active", "subscribing", "connected"].includes(one.state)) known.up += 1;
    else if (one.subscriptions > 0) {
      known.down += 1;
      if (one.last_error_ns) known.since = Math.max(known.since ?? 0, one.last_error_ns / 1e6);
    }
    venues.set(one.venue, known);
  }
  return [...venues.values()].filter(({ up, down }) => down > 0 && up === 0).map(({ venue, since }) => ({ venue, since }));
}
