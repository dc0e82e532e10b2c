/** Turns a time as Go marshals it into Unix milliseconds. */

/** RFC 3339 as Go's time.Time marshals it: upper-case T and Z, 0 to 9 fractional digits. */
const RFC3339_NANO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/** Before it lie the zero time and what an overflown keep_alive makes (year 1734): no moment that means anything. */
const YEAR_2000_MS = Date.UTC(2000, 0);

/**
 * @param text of any type, as it came
 * @returns Unix milliseconds; undefined where it is no usable time
 */
export function parseTimestamp(text: unknown): number | undefined {
  if (typeof text !== 'string' || !RFC3339_NANO.test(text)) {
    return undefined;
  }
  const moment = Date.parse(text);
  return Number.isNaN(moment) || moment < YEAR_2000_MS ? undefined : moment;
}
