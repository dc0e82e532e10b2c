/** Ollama's times: timestamps as Go writes them, its clock, and when a model expires. */

/** RFC 3339 as Go's time.Time marshals it: upper-case T and Z, 0 to 9 fractional digits. */
const RFC3339_NANO = /^\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** Before it lie the zero time and what an overflown keep_alive makes (year 1734): no moment that means anything. */
const YEAR_2000_MS = Date.UTC(2000, 0);

/**
 * @param text of any type, as it came
 * @returns Unix milliseconds; undefined where it is no usable time
 */
export function parseTimestamp(text: unknown): number | undefined {
  if (typeof text !== 'string' || !RFC3339_NANO.test(text) || !isDayOfMonth(text)) {
    return undefined;
  }
  const moment = Date.parse(text);
  return moment >= YEAR_2000_MS ? moment : undefined;
}

/** Date.parse takes the 31st of any month, and rolls over. */
function isDayOfMonth(text: string): boolean {
  const [year, month, day] = [Number(text.slice(0, 4)), Number(text.slice(5, 7)), Number(text.slice(8, 10))];
  return day <= 28 || day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** Unix milliseconds; `Infinity` for "forever". */
export type ExpiryMs = number;

/** `ollama ps` prints "Forever" from here on: trunc(hours)/24/365 > 20 in integers (format/time.go). */
const FOREVER_HOURS = 21 * 365 * 24;

/**
 * @param momentMs Unix milliseconds
 * @param nowMs Unix milliseconds by the clock of the Ollama host
 */
export function expiryAt(momentMs: number, nowMs: number): ExpiryMs {
  const hoursAhead = Math.trunc((momentMs - nowMs) / 3_600_000);
  return hoursAhead >= FOREVER_HOURS ? Number.POSITIVE_INFINITY : momentMs;
}

/** Go writes `Date` in whole seconds, so a smaller difference may be none. */
const MAX_SKEW_MS = 2_000;

/** RFC 9110, 5.6.7, from the year 2000 on: `Date.parse` alone would read a year out of any text. */
const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} [2-9]\d{3} \d\d:\d\d:\d\d GMT$/;

/**
 * @param date the header as it came, if it did
 * @param localMs Unix milliseconds by the exporter's clock, at the same moment
 * @returns Unix milliseconds: by the header where it is known to differ from the exporter's clock, else by that
 */
export function serverClock(date: string | string[] | undefined, localMs: number): number {
  const serverMs = typeof date === 'string' && IMF_FIXDATE.test(date) ? Date.parse(date) : Number.NaN;
  return Math.abs(serverMs - localMs) > MAX_SKEW_MS ? serverMs : localMs;
}
