/** Turns the `Date` header of an answer into what "now" is on the host of Ollama. */

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
