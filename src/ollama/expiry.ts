/** Turns `expires_at` of a row of /api/ps into the moment when Ollama means to unload the model. */

/** Unix milliseconds; `Infinity` for "forever". */
export type ExpiryMs = number;

/** RFC 3339 as Go's time.Time marshals it: upper-case T and Z, 0 to 9 fractional digits. */
const RFC3339_NANO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/** Before it lie the zero time and what an overflown keep_alive makes (year 1734): no moment that means anything. */
const YEAR_2000_MS = Date.UTC(2000, 0);

/** `ollama ps` prints "Forever" from here on: trunc(hours)/24/365 > 20 in integers (format/time.go). */
const FOREVER_HOURS = 21 * 365 * 24;

/**
 * @param expiresAt what the row holds, of any type
 * @param nowMs Unix milliseconds by the clock of the Ollama host
 * @returns undefined where there is no usable time
 */
export function parseExpiry(expiresAt: unknown, nowMs: number): ExpiryMs | undefined {
  if (typeof expiresAt !== 'string' || !RFC3339_NANO.test(expiresAt)) {
    return undefined;
  }
  const moment = Date.parse(expiresAt);
  if (Number.isNaN(moment) || moment < YEAR_2000_MS) {
    return undefined;
  }
  const hoursAhead = Math.trunc((moment - nowMs) / 3_600_000);
  return hoursAhead >= FOREVER_HOURS ? Number.POSITIVE_INFINITY : moment;
}
