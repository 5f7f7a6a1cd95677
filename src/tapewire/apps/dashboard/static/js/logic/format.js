// Numbers and times as text, for both languages and both zones. Nothing here knows the page.

const KST_MS = 9 * 3600 * 1000;
const LOCALES = { en: "en-US", ko: "ko-KR" };
const MOST_DECIMALS = 12;
const EXACT_DIGITS = 12;
const formats = new Map();

function numberFormat(language, options) {
  const key = `${language} ${JSON.stringify(options)}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(LOCALES[language] ?? LOCALES.en, options);
    formats.set(key, format);
  }
  return format;
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** How many decimals a number is written with: 0.1 has 1, 1.9e-7 has 8; the noise of binary fractions has none. */
export function decimalsOf(value) {
  const [digits, exponent] = String(Number(value.toPrecision(EXACT_DIGITS))).split("e");
  const point = digits.indexOf(".");
  const decimals = (point < 0 ? 0 : digits.length - point - 1) - Number(exponent ?? 0);
  return Math.min(Math.max(decimals, 0), MOST_DECIMALS);
}

/** A price with exactly so many decimals. */
export function price(value, decimals, language) {
  if (!isNumber(value)) return "–";
  return numberFormat(language, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(value);
}

/** A size: all that tells it apart, never an exponent; with the decimals of its like, so that they stand in columns. */
export function size(value, language) {
  if (!isNumber(value)) return "–";
  const decimals = Math.abs(value) >= 1000 ? 2 : Math.abs(value) >= 1 ? 4 : 8;
  return numberFormat(language, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(value);
}

/** A large amount in few characters: 50.3B, 503억. */
export function compact(value, language) {
  if (!isNumber(value)) return "–";
  const digits = value === 0 ? 1 : 4;
  return numberFormat(language, { notation: "compact", minimumSignificantDigits: digits, maximumSignificantDigits: digits }).format(value);
}

/** A whole number. */
export function count(value, language) {
  return isNumber(value) ? numberFormat(language, { maximumFractionDigits: 0 }).format(value) : "–";
}

/** A rate as a percentage with its sign: 0.0123 → +1.23%. */
export function percent(rate, language, decimals = 2) {
  if (!isNumber(rate)) return "–";
  const options = { style: "percent", signDisplay: "exceptZero", minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return numberFormat(language, options).format(rate).replace("-", "−");
}

/** Milliseconds as people read them: 0.4 ms, 12 ms, 1.2 s, 2 min. */
export function milliseconds(value, language) {
  if (!isNumber(value)) return "–";
  if (Math.abs(value) >= 60_000) return span(value / 1000, language);
  if (Math.abs(value) >= 1000) return `${numberFormat(language, { maximumFractionDigits: 1 }).format(value / 1000)} s`;
  return `${numberFormat(language, { maximumFractionDigits: Math.abs(value) < 10 ? 1 : 0 }).format(value)} ms`;
}

/** A span of time in at most two units. */
export function span(seconds, language) {
  if (!isNumber(seconds)) return "–";
  const units = language === "ko" ? ["일", "시간", "분", "초"] : [" d", " h", " min", " s"];
  if (seconds < 10) return `${numberFormat(language, { maximumFractionDigits: 1 }).format(seconds)}${units[3]}`;
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  const first = parts.findIndex((part) => part > 0);
  return parts
    .slice(first, first + 2)
    .map((part, place) => [part, units[first + place]])
    .filter(([part]) => part > 0)
    .map(([part, unit]) => `${part}${unit}`)
    .join(" ");
}

const shifted = (ms, zone) => new Date(ms + (zone === "KST" ? KST_MS : 0)).toISOString();

/** Time of day: 09:01:02, with milliseconds 09:01:02.345. */
export function clock(ms, zone, exact = false) {
  return isNumber(ms) ? shifted(ms, zone).slice(11, exact ? 23 : 19) : "–";
}

/** Date and time: 2026-11-21 09:01:02. */
export function stamp(ms, zone) {
  return isNumber(ms) ? shifted(ms, zone).slice(0, 19).replace("T", " ") : "–";
}

/** Milliseconds to add to UTC to have the zone's wall clock. */
export const offsetOf = (zone) => (zone === "KST" ? KST_MS : 0);
