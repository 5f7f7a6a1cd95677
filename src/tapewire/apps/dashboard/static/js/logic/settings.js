// What the user chose: read with care, whatever is stored.

export const CHOICES = {
  language: ["en", "ko"],
  zone: ["UTC", "KST"],
  theme: ["auto", "light", "dark"],
  colours: ["green", "red"],
};

/** Settings of somebody who never chose: Korean readers have KST, and red for rising prices. */
export function defaults(languages) {
  const korean = (languages[0] ?? "").toLowerCase().startsWith("ko");
  return korean
    ? { language: "ko", zone: "KST", theme: "auto", colours: "red", favourites: [], rate: null }
    : { language: "en", zone: "UTC", theme: "auto", colours: "green", favourites: [], rate: null };
}

/** Stored text as settings; what is missing or wrong in it is as never chosen. */
export function read(text, languages) {
  const settings = defaults(languages);
  let stored = {};
  try {
    stored = JSON.parse(text ?? "{}") ?? {};
  } catch {
    return settings;
  }
  for (const [name, choices] of Object.entries(CHOICES)) {
    if (choices.includes(stored[name])) settings[name] = stored[name];
  }
  if (Array.isArray(stored.favourites)) {
    settings.favourites = stored.favourites.filter((key) => typeof key === "string").slice(0, 1000);
  }
  if (typeof stored.rate === "number" && stored.rate > 0 && Number.isFinite(stored.rate)) settings.rate = stored.rate;
  return settings;
}

/** The choice after the present one. */
export function next(name, present) {
  const choices = CHOICES[name];
  return choices[(choices.indexOf(present) + 1) % choices.length];
}
