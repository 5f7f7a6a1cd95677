// The way to the gateway: when to dial again, and how it stands. Time and chance are handed in.

export const FIRST_DELAY_MS = 500;
export const LONGEST_DELAY_MS = 10_000;
export const STABLE_MS = 10_000;
export const SILENT_MS = 30_000;

/** Delay before a dial: twice as long after each failure, and a chance's part of it so that not all come at once. */
export function delay(failures, chance) {
  const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.max(0, failures - 1));
  return Math.round(longest * (0.5 + chance / 2));
}

/** State of the link: "connecting", "live", "silent" or "down". Failures are forgotten when it was live for a while. */
export class Link {
  constructor() {
    this.state = "connecting";
    this.failures = 0;
    this.since = null;
    this.heardAt = null;
    this.retryAt = null;
  }

  opened(now) {
    Object.assign(this, { state: "live", since: now, heardAt: now, retryAt: null });
  }

  heard(now) {
    this.heardAt = now;
    if (this.state === "silent") this.state = "live";
  }

  /** The line is gone, or could not be had; answers the time of the next dial. */
  lost(now, chance) {
    if (this.isUp() && now - this.since >= STABLE_MS) this.failures = 0;
    if (this.state !== "down") this.since = now;
    this.failures += 1;
    this.state = "down";
    this.retryAt = now + delay(this.failures, chance);
    return this.retryAt;
  }

  /** Somebody asks for a dial at once. */
  hurry(now) {
    if (this.state === "down") this.retryAt = now;
  }

  isUp() {
    return this.state === "live" || this.state === "silent";
  }

  tick(now) {
    if (this.state === "live" && now - this.heardAt >= SILENT_MS) this.state = "silent";
  }
}
