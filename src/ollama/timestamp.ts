/** Turns a time as Go marshals it into Unix milliseconds. */

/** RFC 3339 as Go's time.Time marshals it: upper-case T and Z, 0 to 9 fractional digits. */
const RFC3339_NANO = /^(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/** Before it lie the zero time and what an overflown keep_alive makes (year 1734): no moment that means anything. */
const YEAR_2000_MS = Date.UTC(2000, 0);

/**
 * @param text of any type, as it came
 * @returns Unix milliseconds; undefined where it is no usable time
 */
export function parseTimestamp(text: unknown): number | undefined {
  const [whole, year, month, day] = typeof text === 'string' ? (RFC3339_NANO.exec(text) ?? []) : [];
  const moment = Date.parse(whole ?? '');
  // Date.parse takes the 31st of any month, and rolls over.
  const daysInMonth = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return moment >= YEAR_2000_MS && Number(day) <= daysInMonth ? moment : undefined;
}
