// What of a text from outside may become a link.

/** The address if it is one of the web, else null: `javascript:` and its kin stay text. */
export function webAddress(text) {
  if (typeof text !== "string" || !URL.canParse(text)) return null;
  const url = new URL(text);
  return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
}

/** A path within the page, from its parts, and back: "#/market/upbit/KRW-BTC". */
export function address(...parts) {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

/** The parts of a path within the page; what cannot be read is no part. */
export function partsOf(hash) {
  return hash
    .replace(/^#?\/?/, "")
    .split("/")
    .filter(Boolean)
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
}
