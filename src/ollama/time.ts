/** Ollama's times: timestamps in Go's format, the server's clock, and the expiry of a model. */

/** RFC 3339 as Go's time.Time marshals it: upper-case T and Z, 0 to 9 fractional digits. */
const RFC3339_NANO = /^\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** Earlier times are the zero time or an overflow of keep_alive (year 1734), and have no meaning. */
const YEAR_2000_MS = Date.UTC(2000, 0);

/**
 * @param text of any type, as received
 * @returns Unix milliseconds; undefined if it is no valid time
 */
export function parseTimestamp(text: unknown): number | undefined {
  if (typeof text !== 'string' || !RFC3339_NANO.test(text) || !isDayOfMonth(text)) {
    return undefined;
  }
  const moment = Date.parse(text);
  return moment >= YEAR_2000_MS ? moment : undefined;
}

/** Date.parse accepts the 31st of any month, and rolls over. */
function isDayOfMonth(text: string): boolean {
  const [year, month, day] = [Number(text.slice(0, 4)), Number(text.slice(5, 7)), Number(text.slice(8, 10))];
  return day <= 28 || day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** Unix milliseconds; `Infinity` for "forever". */
export type ExpiryMs = number;

/** `ollama ps` prints "Forever" from here: trunc(hours)/24/365 > 20 in integers (format/time.go). */
const FOREVER_HOURS = 21 * 365 * 24;

/**
 * @param momentMs Unix milliseconds
 * @param nowMs Unix milliseconds by the clock of the Ollama host
 */
export function expiryAt(momentMs: number, nowMs: number): ExpiryMs {
  const hoursAhead = Math.trunc((momentMs - nowMs) / 3_600_000);
  return hoursAhead >= FOREVER_HOURS ? Number.POSITIVE_INFINITY : momentMs;
}

/** `Date` has whole seconds in Go, so a smaller difference may be none. */
const MAX_SKEW_MS = 2_000;

/** RFC 9110, 5.6.7, from the year 2000: `Date.parse` alone would find a year in any text. */
const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} [2-9]\d{3} \d\d:\d\d:\d\d GMT$/;

/**
 * @param date the header as received, if any
 * @param localMs Unix milliseconds by the exporter's clock, at the same time
 * @returns Unix milliseconds: from the header if it differs from the exporter's clock, else from that clock
 */
export function serverClock(date: string | string[] | undefined, localMs: number): number {
  const serverMs = typeof date === 'string' && IMF_FIXDATE.test(date) ? Date.parse(date) : Number.NaN;
  return Math.abs(serverMs - localMs) > MAX_SKEW_MS ? serverMs : localMs;
}
