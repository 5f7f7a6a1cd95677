// Which markets are shown, and in which order.

const INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";
const HANGUL_FIRST = 0xac00;
const HANGUL_LAST = 0xd7a3;
const SYLLABLES_OF_INITIAL = 588;

/** A Korean word's first consonants, as people type them to search: 비트코인 → ㅂㅌㅋㅇ. */
export function initials(text) {
  return Array.from(text, (letter) => {
    const code = letter.codePointAt(0);
    if (code < HANGUL_FIRST || code > HANGUL_LAST) return letter;
    return INITIALS[Math.floor((code - HANGUL_FIRST) / SYLLABLES_OF_INITIAL)];
  }).join("");
}

/** Is it what somebody searches? Every word must be in the code or a name. */
export function matches(market, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const text = `${market.symbol} ${market.symbol.replaceAll("-", "")} ${market.name} ${market.localName} ${market.venue}`.toLowerCase();
  const heads = initials(market.localName);
  return words.every((word) => text.includes(word) || heads.includes(word));
}

const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const DOLLARS = new Set(["USDT", "USDC", "USD"]);
const FIGURES = {
  __proto__: null,
  symbol: (market) => market.symbol,
  price: (market) => market.price,
  change: (market) => market.change,
  turnover: (market, rates) => (market.turnover == null ? null : market.turnover * worth(market.quote, rates)),
};

/** What one of each currency costs in won, or in dollars where nothing is sold for won. */
export function rates(markets) {
  const anchor = markets.some(({ quote }) => quote === "KRW") ? "KRW" : "USDT";
  return new Map([[anchor, 1], ...markets.filter(({ quote, price }) => quote === anchor && price > 0).map(({ base, price }) => [base, price])]);
}

const worth = (quote, known) => known.get(quote) ?? (DOLLARS.has(quote) ? known.get("USDT") : undefined) ?? 1;

/**
 * The rows of the table.
 * view: { query, filter, column, descending }; filter: "all", "favourites" or "venue quote".
 * Turnovers are compared in one currency. A market without the figure stands last, whichever way it is sorted; equal ones stand by code.
 */
export function rows(markets, view, favourites) {
  const figure = FIGURES[view.column] ?? FIGURES.turnover;
  const known = rates(markets);
  const way = view.descending ? -1 : 1;
  const chosen = [];
  for (const market of markets) {
    if (view.filter === "favourites" ? !favourites.has(market.key) : !isOf(market, view.filter)) continue;
    if (view.query && !matches(market, view.query)) continue;
    chosen.push([figure(market, known), market]);
  }
  chosen.sort(([a, one], [b, other]) => {
    if (a === null || b === null || a === undefined || b === undefined) {
      return (a == null) - (b == null) || byText(one.key, other.key);
    }
    return way * (typeof a === "string" ? byText(a, b) : a - b) || byText(one.key, other.key);
  });
  return chosen.map(([, market]) => market);
}

const isOf = (market, filter) => !filter || filter === "all" || filter === `${market.venue} ${market.quote}`;

/** The filters that these markets offer, the most markets first: [{ filter, venue, quote, count }]. */
export function filters(markets) {
  const counts = new Map();
  for (const { venue, quote } of markets) {
    const filter = `${venue} ${quote}`;
    const known = counts.get(filter) ?? { filter, venue, quote, count: 0 };
    known.count += 1;
    counts.set(filter, known);
  }
  return [...counts.values()].sort((a, b) => b.count - a.count || byText(a.filter, b.filter));
}
