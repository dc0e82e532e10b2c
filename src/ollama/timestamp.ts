/** Turns a time as Go marshals it into Unix milliseconds. */

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
